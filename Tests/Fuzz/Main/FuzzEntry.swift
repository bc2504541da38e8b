import FuzzTargets
import Glibc

// The entry that libFuzzer calls for each input. `SALLYPORT_FUZZ` names the target; the build that sets it links libFuzzer's `main`.

private let target: FuzzTarget = {
  let name = unsafe getenv("SALLYPORT_FUZZ").map { unsafe String(cString: $0) } ?? ""
  guard let target = FuzzTarget.all.first(where: { $0.name == name }) else {
    fatalError("SALLYPORT_FUZZ is none of \(FuzzTarget.all.map(\.name).joined(separator: ", "))")
  }
  return target
}()

@_cdecl("LLVMFuzzerTestOneInput")
public func runOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  // Not even kept.
  guard count <= target.octetsMax else { return -1 }
  target.run(unsafe Array(UnsafeBufferPointer(start: start, count: count)))
  return 0
}
