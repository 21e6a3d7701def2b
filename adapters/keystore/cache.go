package keystore

import (
	"sync"
	"time"

	"strata.dev/strata/app/personal"
)

// known is what the store said about a subject: its key, or that it is destroyed.
type known struct {
	key       personal.Key
	destroyed bool
	until     time.Time
}

func (k known) answer() (personal.Key, error) {
	if k.destroyed {
		return personal.Key{}, personal.ErrDestroyed
	}
	return k.key, nil
}

// cache remembers answers for CacheAge. The zero value is empty and ready.
type cache struct {
	mu   sync.Mutex
	keys map[place]known
}

func (c *cache) get(p place, now time.Time) (known, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.keys[p]
	if ok && !now.Before(k.until) {
		delete(c.keys, p)
		return known{}, false
	}
	return k, ok
}

// put remembers what was said to a question that was asked at the time. A
// destroyed key stays destroyed, whatever an older question says.
func (c *cache) put(p place, k known, asked time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if before, ok := c.keys[p]; ok && before.destroyed && !k.destroyed {
		return
	}
	k.until = asked.Add(CacheAge)
	if c.keys == nil {
		c.keys = map[place]known{}
	}
	if len(c.keys) >= maxCached {
		c.shrink(asked)
	}
	c.keys[p] = k
}

// shrink forgets what is too old, and if that is not half of it, anything.
func (c *cache) shrink(now time.Time) {
	for p, k := range c.keys {
		if !now.Before(k.until) {
			delete(c.keys, p)
		}
	}
	for p := range c.keys {
		if len(c.keys) <= maxCached/2 {
			return
		}
		delete(c.keys, p)
	}
}
