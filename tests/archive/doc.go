// Package archive tests the archive with the real service and a real S3 server
// with object lock: commands under load are answered from the archive, a store
// that goes away stops nothing else, and what is in the bucket is the log.
package archive
