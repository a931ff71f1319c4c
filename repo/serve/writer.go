// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"net/http"
	"time"
)

// stall is how long a client may take for the next piece of at most pieceSize,
// and rest how long for a body that nobody asked for.
const (
	rest      = time.Second
	stall     = 60 * time.Second
	pieceSize = 64 << 10
)

// writer counts what is answered and gives up on clients that stop reading.
type writer struct {
	http.ResponseWriter
	control *http.ResponseController
	code    int
	bytes   int64
}

func newWriter(w http.ResponseWriter) *writer {
	return &writer{ResponseWriter: w, control: http.NewResponseController(w)}
}

func (w *writer) WriteHeader(code int) {
	if w.code == 0 {
		w.code = code
	}
	w.extend()
	w.ResponseWriter.WriteHeader(code)
}

func (w *writer) Write(p []byte) (written int, err error) {
	if w.code == 0 {
		w.code = http.StatusOK
	}
	for err == nil && written < len(p) {
		w.extend()
		var n int
		n, err = w.ResponseWriter.Write(p[written:min(len(p), written+pieceSize)])
		written += n
		w.bytes += int64(n)
	}
	return written, err
}

// extend gives the client time for the next piece. Not every ResponseWriter has
// deadlines; without one there is nobody to stall.
func (w *writer) extend() { _ = w.control.SetWriteDeadline(time.Now().Add(stall)) }

// leaveBody keeps the server from waiting for a request's body.
func (w *writer) leaveBody() {
	w.Header().Set("Connection", "close")
	_ = w.control.SetReadDeadline(time.Now().Add(rest))
}
