package faults_test

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// wire is the network between a service and its log database.
type wire struct {
	t     *testing.T
	proxy *toxiproxy.Proxy
	url   string // of the database, through the wire
}

func newWire(t *testing.T, database string) *wire {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	w := &wire{t: t, proxy: toxiproxy.NewProxy(server, "log", "127.0.0.1:0", u.Host)}
	w.up()
	t.Cleanup(w.proxy.Stop)
	u.Host = w.proxy.Listen
	w.url = u.String()
	return w
}

// up lets connections through; it keeps the address of the first time.
func (w *wire) up() {
	w.t.Helper()
	if err := w.proxy.Start(); err != nil {
		w.t.Fatal(err)
	}
}

// down cuts all connections and lets no new ones through.
func (w *wire) down() { w.proxy.Stop() }

// mute swallows what the server says; what the service says arrives. Its end,
// cut, breaks the connections.
func (w *wire) mute() {
	w.add(`{"name":"mute","type":"timeout","stream":"downstream","attributes":{"timeout":0}}`)
}

// add makes the wire bad.
func (w *wire) add(toxic string) {
	w.t.Helper()
	if _, err := w.proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
		w.t.Fatal(err)
	}
}

// cut removes what was added, and breaks the connections that suffered from it.
func (w *wire) cut(name string) {
	w.t.Helper()
	if err := w.proxy.Toxics.RemoveToxic(context.Background(), name); err != nil {
		w.t.Fatal(err)
	}
}
