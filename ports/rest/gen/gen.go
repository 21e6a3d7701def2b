// Package gen is the HTTP server generated from api/openapi.yaml: request and
// response types, routes, and the strict handler interface that package rest
// implements. Nothing in it is written by hand but this file.
package gen

//go:generate go tool -modfile=../../../tools/go.mod oapi-codegen -config ../../../api/codegen.yaml ../../../api/openapi.yaml
