// Package tamper does to a real log what a database superuser, a thief of the
// signing key or somebody with access to the archive could do, and has the built
// programs find it: `strata verify` on the database, strata-verify on what was
// exported. Each has to exit with 3 and name the first bad position exactly,
// wherever that can be known.
package tamper
