import EgressPolicy
import JSONText
import Timekeeping

/// What `GET /policy?stats=true` adds: which source the policy came from, and how often each rule decided.
package struct PolicyStatistics: Sendable {
  /// One rule. A policy of more than some thousand rules shows only its default.
  package struct Rule: Hashable, Sendable {
    package var rule: RuleReference
    package var hits: UInt64
    /// Nil: never since the start.
    package var lastUsed: WallTime?

    package init(rule: RuleReference, hits: UInt64, lastUsed: WallTime?) {
      self.rule = rule
      self.hits = hits
      self.lastUsed = lastUsed
    }
  }

  /// `api`, `default`, or the variable or file that the document came from.
  package var source: String
  /// When counting began: the start of the daemon.
  package var since: WallTime
  /// In order of precedence, the lists of `SALLYPORT_ALWAYS_DIR` included, the default last.
  package var rules: [Rule]

  package init(source: String, since: WallTime, rules: [Rule]) {
    self.source = source
    self.since = since
    self.rules = rules
  }

  func write(into writer: inout JSONWriter) {
    writer.key("stats")
    writer.beginObject()
    writer.key("source")
    writer.string(source)
    writer.key("since")
    writer.string(since.description)
    writer.key("rules")
    writer.beginArray()
    for rule in rules {
      writer.beginObject()
      writer.members(of: rule.rule)
      writer.key("hits")
      writer.integer(rule.hits)
      writer.key("lastUsed")
      if let lastUsed = rule.lastUsed { writer.string(lastUsed.description) } else { writer.null() }
      writer.endObject()
    }
    writer.endArray()
    writer.endObject()
  }
}
