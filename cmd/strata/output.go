package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

const tableOutput, jsonOutput = "table", "json"

var outputs = []string{tableOutput, jsonOutput}

// check refuses values of the global flags that mean nothing.
func (c *cli) check() error {
	if !slices.Contains(outputs, c.output) {
		return usageError{fmt.Errorf("-o takes %s, not %q", strings.Join(outputs, " or "), c.output)}
	}
	if !slices.Contains(progressModes, c.progress) {
		return usageError{fmt.Errorf("--progress takes %s, not %q", strings.Join(progressModes, ", "), c.progress)}
	}
	return nil
}

// print writes v as JSON if that is what -o says, and otherwise what table
// writes, aligned at its tabs.
func (c *cli) print(out io.Writer, v any, table func(w io.Writer) error) error {
	if c.output == jsonOutput {
		return json.NewEncoder(out).Encode(v)
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	if err := table(w); err != nil {
		return err
	}
	return w.Flush()
}

// isTerminal says whether somebody may sit at the other end.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}

var errNotConfirmed = errors.New("not confirmed: nothing was changed")

// confirm has the caller type name, the thing that is about to be lost. Without
// a terminal to ask at, --yes has to say it.
func (c *cli) confirm(in io.Reader, out io.Writer, loss, name string) error {
	if c.yes {
		return nil
	}
	if !isTerminal(in) {
		return usageError{fmt.Errorf("%s, and there is no terminal to ask at: say --yes", loss)}
	}
	return ask(in, out, loss, name)
}

func ask(in io.Reader, out io.Writer, loss, name string) error {
	fmt.Fprintf(out, "%s. Type %s to go on: ", loss, name)
	typed, err := bufio.NewReader(in).ReadString('\n')
	if err != nil || strings.TrimSpace(typed) != name {
		return errNotConfirmed
	}
	return nil
}
