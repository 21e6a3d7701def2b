// Package embedded runs a private PostgreSQL and a private RabbitMQ as child
// processes: the real servers, for `strata dev`, for tests and for benchmarks.
// Only cmd and tests use it.
//
// Each server owns one directory: data, generated password (mode 0600),
// configuration written anew at every start, log, and the ports it was given. It
// listens on 127.0.0.1 only. PostgreSQL runs with fsync and synchronous_commit
// on and with data checksums, as in production; RabbitMQ has its own epmd,
// cookie and node name, and no user guest. Nothing of the machine's own servers
// and configuration is read, and none of their ports used.
//
// # Who may run it
//
// PostgreSQL refuses to run as root; for root it runs as the user postgres, who
// must be able to enter the directory. If a parent directory is closed to that
// user (as /root is), the files are kept in /var/lib/strata/<hash of the path>
// instead and a warning names both.
//
// # When something fails
//
// A server that does not start is an error of one line: what, why, how to go on
// (type Problem); the servers' own words are in the file log of the directory.
//
// When this process is killed, the kernel tells the servers to stop (a death
// signal, tied to the operating system thread that started them; hence one
// locked thread per server). When everything is killed at once, what is left is
// a crashed cluster: the next Start ends whatever still runs in the directory,
// recognized by its working directory or environment rather than by a recorded
// pid that may be somebody else's by then, and the servers recover their data.
// A lock on the directory, released by the kernel with its owner, keeps a second
// Strata from taking a living server for a left-over.
//
// Ports are remembered; one that was taken meanwhile is replaced at the next
// start of the program, never while the program runs and clients hold its URL.
// A cluster is created beside and renamed into place, so that being killed while
// creating it leaves nothing to repair by hand.
package embedded
