// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
)

type metrics struct {
	inFlight, bytes, limitedRate, limitedConcurrency atomic.Int64

	mu    sync.Mutex
	codes map[int]int64
}

func (m *metrics) count(w *writer) {
	m.bytes.Add(w.bytes)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.codes == nil {
		m.codes = map[int]int64{}
	}
	m.codes[max(w.code, 1)]++
}

// Metrics writes the counters in Prometheus' text format 0.0.4. Keep it from the
// public if they are not to be.
func (h *Handler) Metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	h.metrics.write(w)
}

func (m *metrics) write(w io.Writer) {
	m.mu.Lock()
	codes := maps.Clone(m.codes)
	m.mu.Unlock()
	family(w, "waybill_serve_requests_total", "counter", "Requests answered, by status code.")
	for _, code := range slices.Sorted(maps.Keys(codes)) {
		fmt.Fprintf(w, "waybill_serve_requests_total{code=\"%d\"} %d\n", code, codes[code])
	}
	family(w, "waybill_serve_sent_bytes_total", "counter", "Bytes of response bodies.")
	fmt.Fprintf(w, "waybill_serve_sent_bytes_total %d\n", m.bytes.Load())
	family(w, "waybill_serve_requests_in_flight", "gauge", "Requests being answered.")
	fmt.Fprintf(w, "waybill_serve_requests_in_flight %d\n", m.inFlight.Load())
	family(w, "waybill_serve_limited_total", "counter", "Requests refused, by the limit that refused them.")
	fmt.Fprintf(w, "waybill_serve_limited_total{limit=\"concurrency\"} %d\n", m.limitedConcurrency.Load())
	fmt.Fprintf(w, "waybill_serve_limited_total{limit=\"rate\"} %d\n", m.limitedRate.Load())
}

func family(w io.Writer, name, kind, help string) {
	fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}
