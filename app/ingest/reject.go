package ingest

import (
	"context"
	"fmt"

	"strata.dev/strata/app/command"
	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/domain/evidence"
	"strata.dev/strata/domain/source"
)

// mediaType of refused messages: whatever they claim to be, they are bytes.
const mediaType = "application/octet-stream"

// bounded keeps a detail below what a thousand of them may take: names that a
// source uses can be long.
func bounded(detail string) string {
	const most = 500
	if r := []rune(detail); len(r) > most {
		return string(r[:most]) + "…"
	}
	return detail
}

// refuse refuses the message as a whole: its bytes become evidence, and the
// source's stream says why. It gives the fault, or what kept it from that.
func (w *work) refuse(ctx context.Context, i ids, code, detail string) error {
	r := w.rejection(code, detail)
	position, err := w.keepAndReject(ctx, i, []source.RejectIngest{r})
	if err != nil {
		return err
	}
	w.answer.Items = []Item{}
	w.answer.count()
	w.answer.Code, w.answer.Detail, w.answer.Position, w.answer.Settled = code, detail, position, true
	return faultOf(code, detail)
}

func (w *work) rejection(code, detail string) source.RejectIngest {
	return source.RejectIngest{MessageID: w.ids().root.String(), SourceMessageID: w.MessageID, PayloadSHA256: w.answer.SHA256, Size: len(w.Body), Code: code, Detail: detail}
}

// keepAndReject makes the message's bytes evidence, then records why it was
// refused, or which of its measurements were.
func (w *work) keepAndReject(ctx context.Context, i ids, all []source.RejectIngest) (position int64, err error) {
	kept, err := w.keep(ctx, i)
	if err != nil {
		return 0, err
	}
	for n := range all {
		all[n].EvidenceID = kept
	}
	w.answer.EvidenceID = kept
	return w.reject(ctx, i, all)
}

// keep registers the message's bytes as evidence. An empty message has none; of
// one that is larger than evidence may be there are hash and size.
func (w *work) keep(ctx context.Context, i ids) (evidenceID string, err error) {
	if len(w.Body) == 0 || len(w.Body) > command.MaxEvidenceBytes {
		return "", nil
	}
	id := i.of("evidence")
	by := command.ProcessPrincipal(w.OrganizationID, Process)
	_, err = w.options.Commands.Evidence.Register(ctx, w.call(by, i.of("keep"), i.hash), id, w.Body, evidence.RegisterEvidence{
		Kind: evidence.Message, MediaType: mediaType,
	})
	if err != nil {
		return "", fmt.Errorf("keep message %s of source %s: %w", w.MessageID, w.SourceID, err)
	}
	return id.String(), nil
}

// reject records refusals, all in one append.
func (w *work) reject(ctx context.Context, i ids, all []source.RejectIngest) (position int64, err error) {
	commands := make([]source.Command, len(all))
	for n, r := range all {
		commands[n] = r
	}
	by := command.ProcessPrincipal(w.OrganizationID, Process)
	result, err := w.options.Commands.Sources.Execute(ctx, w.call(by, i.of("rejections"), i.hash), w.SourceID, commands...)
	if err != nil {
		return 0, fmt.Errorf("reject message %s of source %s: %w", w.MessageID, w.SourceID, err)
	}
	return result.Position, nil
}

// rejectedBefore finds what was refused of the message already, by place: then
// it had been decided to its end, and only the inbox did not hear of it. What
// was refused stays refused. reused says that another body came under the id.
func (w *work) rejectedBefore(ctx context.Context) (byPlace map[int]source.IngestRejected, reused bool, err error) {
	i := w.ids()
	receipt, hash, found, err := w.options.Log.FindCommand(ctx, i.of("rejections"))
	switch {
	case err != nil:
		return nil, false, fmt.Errorf("look for message %s of source %s: %w", w.MessageID, w.SourceID, err)
	case !found:
		return nil, false, nil
	case string(hash) != string(i.hash):
		return nil, true, nil
	}
	n := len(receipt.EventIDs)
	events, err := w.options.Log.ReadStream(ctx, w.OrganizationID, receipt.StreamID, receipt.Version-int64(n), n)
	if err != nil {
		return nil, false, fmt.Errorf("read %s: %w", receipt.StreamID, err)
	}
	byPlace = map[int]source.IngestRejected{}
	for _, e := range events {
		body, err := eventcodec.Decode(e.Type, e.SchemaVersion, e.Data)
		if err != nil {
			return nil, false, fmt.Errorf("read %s: version %d: %w", receipt.StreamID, e.Version, err)
		}
		if r, ok := body.(source.IngestRejected); ok {
			byPlace[r.Item] = r
		}
	}
	return byPlace, false, nil
}
