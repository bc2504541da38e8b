// PodInjection: what a pod must look like so that Sallyport is its only way out.
//
//   InjectionSettings   what the platform decided: image, users, settings, secrets, configuration maps
//   PodHardening        what makes a pod unsafe beyond mending (refused, every reason at once), and what is mended
//   SidecarParts        the native sidecar, its volumes and probes
//   PodInjector         a pod in, the pod that may run out
//   Manifest            the pods inside Deployments, Jobs, SandboxTemplates, lists
//   AdmissionReview     the same for the API server: a review in, a verdict with a JSON patch out
//   JSONPatch           RFC 6902, the difference of two values
//
// The pod's author decides nothing here: there is no annotation to opt out and none to widen. Injecting twice gives what injecting once
// gives: our parts are taken out by name and put in again, so that a webhook may be called as often as the API server likes.
//
// Why so: the sidecar is a native one (an init container that restarts) and the first of them, so that nothing of the pod runs before
// its start-up probe has seen the kernel enforce. It begins as user 0 with three capabilities, since a container that begins as
// another user has none in effect under containerd, loads its rules and becomes `sidecarUser`, keeping NET_ADMIN. The workload has no
// capability, cannot gain one, is another user, and holds no token of the cluster: what it could forge is in README §3.
