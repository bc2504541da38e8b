import JSONText
import Timekeeping

/// The binding as the state directory keeps it. Facts only: the token that proved it is nowhere.
///
///     {"podUid":"…","tenantId":"…","objectId":"…","bindingId":"…","boundAt":"2026-…Z","sessionId":"…","claimUid":"…"}
package struct KeptOwner: Hashable, Sendable {
  /// The pod it holds in; void in every other.
  package var podUID: String
  package var binding: OwnerBinding

  package init(podUID: String, binding: OwnerBinding) {
    self.podUID = podUID
    self.binding = binding
  }

  /// Its name in the state directory.
  package static let file = "owner.json"
  /// The most octets of the file that are read: six short texts.
  package static let bytesMax = 4_096

  package var composed: [UInt8] {
    var writer = JSONWriter()
    func member(_ name: String, _ text: String?) {
      guard let text else { return }
      writer.key(name)
      writer.string(text)
    }
    writer.beginObject()
    member("podUid", podUID)
    member("tenantId", binding.owner.tenant)
    member("objectId", binding.owner.object)
    member("bindingId", binding.bindingID)
    member("boundAt", binding.boundAt.description)
    member("sessionId", binding.sessionID)
    member("claimUid", binding.claimUID)
    writer.endObject()
    return writer.bytes + [0x0a]
  }

  /// What is wrong with the file.
  package struct Problem: Error, Hashable, Sendable, CustomStringConvertible {
    package var description: String
  }

  /// - Throws: the reason in words; nothing of the file holds then.
  package static func parse(_ bytes: [UInt8]) throws(Problem) -> KeptOwner {
    let value: JSONValue
    do throws(JSONError) {
      value = try JSONValue.parse(bytes, limits: JSONLimits(depthMax: 2, sizeMax: bytesMax))
    } catch {
      throw Problem(description: "\(error)")
    }
    guard let podUID = value["podUid"]?.string, let tenant = value["tenantId"]?.string,
      let object = value["objectId"]?.string, let bindingID = value["bindingId"]?.string,
      let boundAt = value["boundAt"]?.string.flatMap({ WallTime($0) })
    else { throw Problem(description: "a member is missing or malformed") }
    do throws(OwnerID.ParseError) {
      return KeptOwner(
        podUID: podUID,
        binding: OwnerBinding(
          owner: try OwnerID.parse("\(tenant)/\(object)"), bindingID: bindingID, source: .token, boundAt: boundAt,
          sessionID: value["sessionId"]?.string, claimUID: value["claimUid"]?.string))
    } catch {
      throw Problem(description: "\(error)")
    }
  }
}
