/// The names of members as they stand in a record: literals, since an array would be counted for every use.
enum Member {
  /// The first member after the link, so with the brace and without a comma.
  static let sequence = "{\"SbxSeq\":"
  static let generated = ",\"TimeGenerated\":"
  static let uniqueID = ",\"EventOriginalUid\":"
  static let start = ",\"EventStartTime\":"
  static let end = ",\"EventEndTime\":"
  static let count = ",\"EventCount\":"
  static let truncated = ",\"SbxTruncated\":true"
  static let result = ",\"EventResult\":"
  static let resultDetails = ",\"EventResultDetails\":"
  static let originalDetails = ",\"EventOriginalResultDetails\":"
  static let severity = ",\"EventSeverity\":"
  static let additional = ",\"AdditionalFields\":"
  static let source = ",\"Src\":"
  static let sourceAddress = ",\"SrcIpAddr\":"
  static let sourcePort = ",\"SrcPortNumber\":"
  static let networkProtocol = ",\"NetworkProtocol\":"
  static let protocolVersion = ",\"NetworkProtocolVersion\":"
}
