// sallyport: the command line of contract §1.
//
//   Command           the commands, by name, and which one a command line asks for
//   Arguments         options and operands, read once each
//   RunCommand …      one file a command
//
// Standard output carries only what was asked for; what is wrong goes to standard error, and the exit code tells which
// kind of wrong it was. Nothing here decides anything about egress: the modules do.
import LinuxIO

ProcessIdentity.exit(Command.run(ProcessEnvironment.arguments()).rawValue)
