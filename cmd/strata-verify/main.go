// Command strata-verify verifies what Strata has exported: evidence packs,
// receipts, archives and logs. It needs public keys and nothing else: no
// database, no network, no part of Strata that made what it verifies.
package main

import (
	"context"
	"os"
	"os/signal"

	"strata.dev/strata/app/verifier/unzstd"
	"strata.dev/strata/app/verifier/verifycli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := verifycli.Main(ctx, os.Args[1:], os.Stdout, os.Stderr, verifycli.Options{Unpack: unzstd.Open})
	stop()
	os.Exit(code)
}
