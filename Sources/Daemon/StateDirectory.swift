import LinuxIO

/// `SALLYPORT_STATE_DIR`, opened before the privileges go and the daemon's own afterwards.
///
/// In a pod the daemon begins as user 0 without the capabilities that make root of it: it may neither give files away nor look into a folder of mode 0700 that
/// is another's. So the folder is made and opened as the user that the daemon becomes, who may do so in an empty volume. Where root is root, a folder
/// that is somebody else's is given to that user with everything in it.
enum StateDirectory {
  static func open(_ path: String, for user: UInt32) throws(StartupFailure) -> Directory {
    let name = "SALLYPORT_STATE_DIR"
    guard ProcessIdentity.effectiveUser == 0, user != 0 else {
      return try required(name) { () throws(Errno) in try Directory(path, create: true) }
    }
    if let own = try? ProcessIdentity.asFileUser(user, { () throws(Errno) in try owned(path, by: user) }) {
      // What somebody put there by hand; where that cannot be done, what needs the file will name it.
      try? giveAway(own, to: user)
      return own
    }
    return try required(name) { () throws(Errno) in
      let directory = try Directory(path, create: true)
      if try directory.owner() != user {
        // The folder last: while it is not given, the next start does all of it again.
        try giveAway(directory, to: user)
        try directory.changeOwner(user: user, group: user)
      }
      try ProcessIdentity.asFileUser(user) { () throws(Errno) in try directory.changeMode(0o700) }
      return directory
    }
  }

  /// The folder when it is the user's or can be made by the user.
  private static func owned(_ path: String, by user: UInt32) throws(Errno) -> Directory {
    let directory = try Directory(path, create: true)
    guard try directory.owner() == user else { throw .notPermitted }
    try directory.changeMode(0o700)
    return directory
  }

  /// The files of an earlier run under another uid too; never what a link leads to.
  private static func giveAway(_ directory: Directory, to user: UInt32, depth: Int = 0) throws(Errno) {
    for name in try directory.list() {
      try directory.changeOwner(of: name, user: user, group: user)
      // The spool and its quarantine: what lies deeper is not ours.
      guard depth < 2, name == "spool" || name == "quarantine" else { continue }
      if let inner = try? Directory(name, in: directory) { try giveAway(inner, to: user, depth: depth + 1) }
    }
  }
}
