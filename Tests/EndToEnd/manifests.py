"""The chart as Helm renders it, and admission as the API server would do it.

    python3 Tests/EndToEnd/manifests.py --write     renders deploy/chart with each of its values files into deploy/manifests
"""
import copy, re, sys

import packages

packages.provide("manifests", packages.MANIFESTS)
import cel, helm_python, yaml

ROOT = packages.ROOT
CHART = ROOT / "deploy" / "chart"
RENDERED = ROOT / "deploy" / "manifests"
NAMESPACE = "sallyport-system"


def variants():
    """Name to values file."""
    return {path.stem.removeprefix("values-"): path for path in sorted(CHART.glob("values-*.yaml"))}


def values_of(name):
    return yaml.safe_load(variants()[name].read_text())


def render(values):
    """What `helm template` prints, as one text."""
    with helm_python.Chart.load(CHART) as chart:
        files = chart.render(values, name="sallyport", namespace=NAMESPACE)
    texts = [text.strip().removeprefix("---\n") for name, text in sorted(files.items()) if name.endswith(".yaml") and text.strip()]
    return "---\n" + "\n---\n".join(texts) + "\n"


def lint(values):
    """Helm's own complaints."""
    report = helm_python.lint(CHART, values, strict=True, namespace=NAMESPACE, kube_version="v1.34.0")
    return [message for message in report["messages"] if message["severity"] > 1] + list(report["errors"])


def rendered_file(name):
    head = (f"# Made of deploy/chart with values-{name}.yaml, for those who do without Helm: python3 Tests/EndToEnd/manifests.py --write\n"
            f"# kubectl create namespace {NAMESPACE} first.\n")
    return head + render(values_of(name))


def objects(text):
    return [document for document in yaml.safe_load_all(text) if document]


def named(documents, kind, name=None):
    found, = [document for document in documents if document["kind"] == kind and name in (None, document["metadata"]["name"])]
    return found


# Admission.


def untyped(expression):
    """`Object.spec.x{name: …}` and `JSONPatch{op: …}`, which need the API server's types, as maps. What their types would say of them is not looked at."""
    parts = re.split(r'("(?:[^"\\]|\\.)*")', expression)
    for place in range(0, len(parts), 2):
        parts[place] = re.sub(r"\b(?:Object(?:\.\w+)*|JSONPatch)\{", "{", parts[place])
        parts[place] = re.sub(r"([{,]\s*)(\w+):(?!:)", r'\1"\2":', parts[place])
    return "".join(parts)


class Validating:
    """A ValidatingAdmissionPolicy."""

    def __init__(self, document):
        self.spec = document["spec"]

    def refusals(self, request, new, old=None):
        """Its messages; none when it lets it pass. An expression that fails is a refusal, as failurePolicy Fail has it."""
        context = {"object": new, "oldObject": old, "request": request}
        for condition in self.spec.get("matchConditions", []):
            if not cel.evaluate(condition["expression"], context):
                return []
        context["variables"] = variables = {}
        for variable in self.spec.get("variables", []):
            variables[variable["name"]] = cel.evaluate(variable["expression"], context)
        messages = []
        for validation in self.spec["validations"]:
            try:
                passed = cel.evaluate(validation["expression"], context)
            except Exception:
                passed = False
            if passed is not True:
                messages.append(validation["message"])
        return messages


class Mutating:
    """A MutatingAdmissionPolicy of JSON patches."""

    def __init__(self, document):
        self.spec = document["spec"]

    def admit(self, pod):
        pod = copy.deepcopy(pod)
        if not all(cel.evaluate(condition["expression"], {"object": pod}) for condition in self.spec["matchConditions"]):
            return pod
        for mutation in self.spec["mutations"]:
            for operation in cel.evaluate(untyped(mutation["jsonPatch"]["expression"]), {"object": pod}):
                apply(pod, operation)
        return pod


def apply(document, operation):
    """One operation of RFC 6902, of the kinds that are used here."""
    *path, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
    place = document
    for part in path:
        place = place[int(part)] if isinstance(place, list) else place[part]
    if operation["op"] == "remove":
        del place[int(last) if isinstance(place, list) else last]
    elif isinstance(place, list):
        place.insert(len(place) if last == "-" else int(last), operation["value"])
    else:
        place[last] = operation["value"]


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        raise SystemExit(__doc__)
    RENDERED.mkdir(exist_ok=True)
    for name in variants():
        (RENDERED / f"{name}.yaml").write_text(rendered_file(name))
