package main

import (
	"strata.dev/strata/adapters/postgres/consumer"
	"strata.dev/strata/app/erasure"
)

// erasing is the consumer group that destroys the keys of erased persons, where
// whoever erased them did not come to it. There is none without a key store.
func (s *service) erasing() (consumer.Group, bool) {
	if s.persons == nil || !s.cfg.takesPart(erasureGroup) {
		return consumer.Group{}, false
	}
	return consumer.Group{Name: erasure.Group, Handler: erasure.Handler(s.persons), Linger: linger}, true
}
