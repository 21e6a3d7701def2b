// Package sealing brings a person into a running Strata by every way there is,
// and then looks for the name in everything that is kept or said: no database,
// message, log, archive or key store has it in clear.
package sealing
