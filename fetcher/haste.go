// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"cmp"
	"io"
	"slices"
	"time"
)

// haste is for metadata and small targets what the pace is for a download: a mirror
// that takes long is left, once, while there is one that may be quicker.
type haste struct {
	others int                 // mirrors not asked yet; negative once the slow ones are asked again
	rates  map[*mirror]float64 // of those that were left, bytes a second
}

// next takes a mirror from the queue: of those that were left, the quickest.
func (h *haste) next(queue *[]*mirror) *mirror {
	q := *queue
	if h.others--; h.others < 0 {
		slices.SortStableFunc(q, func(a, b *mirror) int { return cmp.Compare(h.rates[b], h.rates[a]) })
	}
	*queue = q[1:]
	return q[0]
}

// leave tells whether to leave a mirror of the given rate that has so much to go.
func (h *haste) leave(rate float64, rest int64) bool {
	if h == nil || h.others < 0 || float64(rest) < rate*paceRest.Seconds() {
		return false
	}
	for _, other := range h.rates {
		if other > 2*rate {
			return true
		}
	}
	return h.others > 0
}

// reader ends with errSlower when it is time to leave the mirror that body is from.
func (h *haste) reader(body io.Reader, m *Mirrors, x *mirror, total int64) io.Reader {
	return &hasty{body: body, haste: h, mirrors: m, from: x, total: total}
}

type hasty struct {
	*haste
	body       io.Reader
	mirrors    *Mirrors
	from       *mirror
	total, got int64
	waited     time.Duration
}

func (h *hasty) Read(p []byte) (int, error) {
	start := h.mirrors.now()
	n, err := h.body.Read(p)
	h.waited += h.mirrors.now().Sub(start)
	h.got += int64(n)
	rate := float64(h.got) / max(h.waited, time.Millisecond).Seconds()
	if err == nil && h.waited >= pacePatience && h.leave(rate, h.total-h.got) {
		h.rates[h.from] = rate
		h.mirrors.measured(h.from, h.got, h.waited)
		err = errSlower
	}
	return n, err
}
