package rest

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"strata.dev/strata/app/command"
	"strata.dev/strata/domain/fault"
)

// limitedPrincipals bounds the memory of the limiter. A principal pushed out by
// that many others starts with a full allowance again.
const limitedPrincipals = 10_000

var errRateLimited = fault.New(fault.RateLimited, "rate-limited", "Too many requests. Try again later.")

// limiter counts requests per principal, in this process. Safe for concurrent use.
type limiter struct {
	rate   Rate
	policy []string
	now    func() time.Time
	seen   *lru.Cache[who, *rate.Limiter] // nil = no limit
}

// who is one principal.
type who struct {
	organization [16]byte
	issuer       string
	subject      string
}

func whoIs(p command.Principal) who { return who{p.OrganizationID, p.Issuer, p.Subject} }

func newLimiter(r Rate, now func() time.Time) (*limiter, error) {
	l := &limiter{rate: r, now: now, policy: []string{fmt.Sprintf(`"default";q=%d;w=%d`, r.Requests, int(r.Window.Seconds()))}}
	if r.Requests <= 0 {
		return l, nil
	}
	var err error
	if l.seen, err = lru.New[who, *rate.Limiter](limitedPrincipals); err != nil {
		return nil, fmt.Errorf("rate limiter: %w", err)
	}
	return l, nil
}

// allow takes one request from the principal's allowance, or refuses it.
func (l *limiter) allow(p command.Principal, h http.Header) error {
	if l.seen == nil {
		return nil
	}
	key := whoIs(p)
	bucket, ok := l.seen.Get(key)
	if !ok {
		bucket = rate.NewLimiter(rate.Limit(float64(l.rate.Requests)/l.rate.Window.Seconds()), l.rate.Requests)
		if earlier, lost, _ := l.seen.PeekOrAdd(key, bucket); lost {
			bucket = earlier
		}
	}
	now := l.now()
	allowed := bucket.AllowN(now, 1)
	left := bucket.TokensAt(now)
	full := math.Ceil((float64(l.rate.Requests) - left) / float64(bucket.Limit()))
	h["Ratelimit-Policy"] = l.policy
	h["Ratelimit"] = []string{`"default";r=` + strconv.Itoa(max(0, int(left))) + `;t=` + strconv.Itoa(int(full))}
	if allowed {
		return nil
	}
	wait := math.Ceil((1 - left) / float64(bucket.Limit()))
	h.Set(headerRetryAfter, strconv.Itoa(max(1, int(wait))))
	return errRateLimited
}
