package pack

import (
	"context"
	_ "embed" // the report's layout
	"encoding/hex"
	"html/template"
	"io"

	"strata.dev/strata/app/eventlog"
)

// The report is written in three parts, so that it is never in memory as a whole.
//
//go:embed report.html.tmpl
var reportText string

// reportHead is what the head of the report says.
type reportHead struct {
	about
	Root string
	Note string
	Keys []string
}

// report writes report.html.
func (b *build) report(ctx context.Context, w io.Writer) error {
	layout, err := template.New("report").Parse(reportText)
	if err != nil {
		return err
	}
	keys, err := b.packer.o.Tree.SignedBy(ctx)
	if err != nil {
		return err
	}
	if err := layout.ExecuteTemplate(w, "head", reportHead{b.about, hex.EncodeToString(b.at.Root[:]), string(b.at.Note), keys}); err != nil {
		return err
	}
	err = b.span.each(ctx, func(e *eventlog.Event) error {
		l, err := lineOf(e)
		if err != nil {
			return err
		}
		return layout.ExecuteTemplate(w, "event", l)
	})
	if err != nil {
		return err
	}
	return layout.ExecuteTemplate(w, "foot", nil)
}
