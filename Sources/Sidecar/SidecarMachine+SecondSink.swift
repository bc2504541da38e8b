import Spool

/// The audit file beside the hub.
extension SidecarMachine {
  mutating func pumpSecondSink() {
    guard settings.audit.hasSecondSink, let (id, lines) = secondSink.next() else { return }
    emit(.copy(id, lines))
  }

  mutating func copied(_ id: UInt64, _ outcome: StorageOutcome) {
    guard secondSink.copied(id, outcome) else { return }
    if let error = secondSink.error {
      emit(
        .log(
          LogEntry(.error, "the audit file does not take records; the hub does not wait for it", [("reason", error)])))
    } else {
      let missing = String(secondSink.missing)
      emit(
        .log(LogEntry(.warning, "the audit file takes records again; some are missing in it", [("records", missing)])))
    }
  }
}
