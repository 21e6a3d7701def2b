// Package tests checks the repository as a whole: who may import whom, what no
// code here may do, and that the compose file starts what production needs. The
// folders below it hold what runs the whole service: benchmarks and test servers.
package tests
