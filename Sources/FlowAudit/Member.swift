/// The names of members as they stand in a record, made once.
enum Member {
  /// The first member after the link, so with the brace and without a comma.
  static let sequence = Array("{\"SbxSeq\":".utf8)
  static let generated = memberName("TimeGenerated")
  static let uniqueID = memberName("EventOriginalUid")
  static let start = memberName("EventStartTime")
  static let end = memberName("EventEndTime")
  static let count = memberName("EventCount")
  static let truncated = Array(",\"SbxTruncated\":true".utf8)
  static let result = memberName("EventResult")
  static let resultDetails = memberName("EventResultDetails")
  static let originalDetails = memberName("EventOriginalResultDetails")
  static let severity = memberName("EventSeverity")
  static let additional = memberName("AdditionalFields")
  static let source = memberName("Src")
  static let sourceAddress = memberName("SrcIpAddr")
  static let sourcePort = memberName("SrcPortNumber")
  static let networkProtocol = memberName("NetworkProtocol")
  static let protocolVersion = memberName("NetworkProtocolVersion")
}
