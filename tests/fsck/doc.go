// Package fsck changes what a whole installation keeps, one thing at a time and
// past the service, and has `strata fsck` name it.
package fsck
