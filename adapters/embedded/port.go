package embedded

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
)

// Free ports are looked for below the range the kernel takes the ports of
// outgoing connections from: a port from that range could be gone by the time
// the server binds it, or when it is started again.
const lowestPort, highestPort = 20_000, 32_000

func portFree(port int) bool {
	ln, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return ln.Close() == nil
}

// freePort returns a port that was free a moment ago and is not in taken.
func freePort(taken map[int]bool) (int, error) {
	for range 1000 {
		port := lowestPort + rand.IntN(highestPort-lowestPort)
		if !taken[port] && portFree(port) {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port between %d and %d", lowestPort, highestPort)
}

// ports returns one port per name: the wanted one if given, else the one
// remembered from the last start if it is still free, else a free one. Wanted
// ports that are taken are an error; the others may move.
func (d *directory) ports(what string, want map[string]int, names ...string) (map[string]int, error) {
	remembered := map[string]int{}
	b, err := os.ReadFile(d.file("ports"))
	if err == nil {
		err = json.Unmarshal(b, &remembered)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", d.file("ports"), err)
	}
	got, taken := map[string]int{}, map[int]bool{}
	for _, name := range names {
		port := want[name]
		switch {
		case port != 0 && !portFree(port):
			return nil, portTaken(what, port)
		case port != 0:
		case remembered[name] != 0 && !taken[remembered[name]] && portFree(remembered[name]):
			port = remembered[name]
		default:
			if port, err = freePort(taken); err != nil {
				return nil, err
			}
		}
		got[name], taken[port] = port, true
	}
	if b, err = json.Marshal(got); err != nil {
		return nil, err
	}
	return got, writeFile(d.file("ports"), b, 0o644)
}

func portTaken(what string, port int) error {
	return &Problem{
		Kind: ErrPortTaken, What: what,
		Why:  fmt.Sprintf("port %d on 127.0.0.1 is taken by another program", port),
		Next: fmt.Sprintf("Stop that program (ss -ltnp 'sport = :%d' names it) or choose another port", port),
	}
}
