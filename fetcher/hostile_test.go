// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/waybill-project/waybill/repo/layout"
)

// scripted answers every request on every connection with the same bytes, and closes.
func scripted(t *testing.T, reply string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					_, _ = io.WriteString(conn, reply)
				}
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// Whatever a server says, the outcome is a typed error, soon, and nothing is taken for an answer.
func TestHostileReplies(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	many := func(n int, line string) string { return strings.Repeat(line, n) }
	replies := map[string]string{
		"nothing":                       "",
		"not http":                      "SSH-2.0-OpenSSH_9.9\r\n",
		"http 0.9":                      "{}",
		"binary":                        "\x00\x01\x02\x03\r\n\r\n",
		"tls alert":                     "\x15\x03\x01\x00\x02\x02\x28",
		"no version":                    "HTTP 200 OK\r\n\r\n",
		"version 9":                     "HTTP/9.9 200 OK\r\n\r\n",
		"http 2":                        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"status of a word":              "HTTP/1.1 abc OK\r\n\r\n",
		"status 0":                      "HTTP/1.1 000 OK\r\n\r\n",
		"negative status":               "HTTP/1.1 -200 OK\r\n\r\n",
		"status 999":                    "HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n",
		"huge status line":              "HTTP/1.1 200 " + many(1<<20, "x") + "\r\n\r\n",
		"status line without end":       "HTTP/1.1 200 OK",
		"headers without end":           ok + "X: y\r\n",
		"one huge header":               ok + "X: " + many(1<<20, "y") + "\r\n\r\n",
		"10,000 headers":                ok + many(10_000, "X-Header: value\r\n") + "\r\n",
		"1,000 cookies":                 ok + many(1000, "Set-Cookie: a="+many(100, "b")+"\r\n") + "\r\n",
		"header without colon":          ok + "nonsense\r\n\r\n",
		"header with a space":           ok + "Content Length: 5\r\n\r\nhello",
		"header with a null":            ok + "X: \x00\r\n\r\n",
		"folded header":                 ok + "X: a\r\n b\r\nContent-Length: 2\r\n\r\n{}",
		"two lengths":                   ok + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
		"negative length":               ok + "Content-Length: -1\r\n\r\n{}",
		"huge length":                   ok + "Content-Length: 9223372036854775807\r\n\r\n{}",
		"overflowing length":            ok + "Content-Length: 99999999999999999999\r\n\r\n{}",
		"length of words":               ok + "Content-Length: many\r\n\r\n{}",
		"length beyond the end":         ok + "Content-Length: 1000\r\n\r\n{}",
		"length and chunks":             ok + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
		"chunk of no number":            ok + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n0\r\n\r\n",
		"negative chunk":                ok + "Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
		"huge chunk":                    ok + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}",
		"overflowing chunk":             ok + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}",
		"chunk without end":             ok + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
		"huge chunk extension":          ok + "Transfer-Encoding: chunked\r\n\r\n2;" + many(1<<20, "x") + "\r\n{}\r\n0\r\n\r\n",
		"many tiny chunks":              ok + "Transfer-Encoding: chunked\r\n\r\n" + many(20_000, "1;"+many(50, "x")+"\r\na\r\n") + "0\r\n\r\n",
		"huge trailer":                  ok + "Transfer-Encoding: chunked\r\nTrailer: X\r\n\r\n2\r\n{}\r\n0\r\nX: " + many(1<<20, "y") + "\r\n\r\n",
		"unknown transfer coding":       ok + "Transfer-Encoding: sponge\r\n\r\n{}",
		"doubled transfer coding":       ok + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
		"gzip transfer coding":          ok + "Transfer-Encoding: gzip\r\n\r\n{}",
		"gzip":                          ok + "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
		"two encodings":                 ok + "Content-Encoding: identity, gzip\r\nContent-Length: 2\r\n\r\n{}",
		"100 without end":               many(1000, "HTTP/1.1 100 Continue\r\n\r\n"),
		"103 without end":               many(1000, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"),
		"switched protocols":            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n{}",
		"no content":                    "HTTP/1.1 204 No Content\r\n\r\n",
		"partial without range":         "HTTP/1.1 206 Partial Content\r\nContent-Length: 2\r\n\r\n{}",
		"partial of another place":      "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 5-6/7\r\nContent-Length: 2\r\n\r\n{}",
		"multipart ranges":              "HTTP/1.1 206 Partial Content\r\nContent-Type: multipart/byteranges; boundary=x\r\nContent-Length: 2\r\n\r\n{}",
		"not modified, never asked":     "HTTP/1.1 304 Not Modified\r\n\r\n",
		"redirect to nowhere":           "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
		"redirect to a broken URL":      "HTTP/1.1 302 Found\r\nLocation: http://%zz/\r\nContent-Length: 0\r\n\r\n",
		"redirect to a script":          "HTTP/1.1 302 Found\r\nLocation: javascript:alert(1)\r\nContent-Length: 0\r\n\r\n",
		"redirect to a file":            "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
		"redirect to a huge URL":        "HTTP/1.1 302 Found\r\nLocation: /" + many(50_000, "x") + "\r\nContent-Length: 0\r\n\r\n",
		"redirect to itself":            "HTTP/1.1 302 Found\r\nLocation: timestamp.json\r\nContent-Length: 0\r\n\r\n",
		"unauthorised":                  "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n",
		"proxy wants authentication":    "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
		"a page of a hotel":             ok + "Content-Length: 26\r\n\r\n<html>Please log in</html>",
		"second answer in the first":    ok + "Content-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
		"error with an endless page":    "HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n" + many(1000, "400\r\n"+many(1024, "x")+"\r\n"),
		"try again in a thousand years": "HTTP/1.1 503 Busy\r\nRetry-After: 31536000000\r\nContent-Length: 0\r\n\r\n",
	}
	if len(replies) < 60 {
		t.Errorf("%d replies", len(replies))
	}
	s := newSim(t)
	for name, reply := range replies {
		t.Run(name, func(t *testing.T) {
			src, err := NewHTTPSource(scripted(t, reply), &HTTPOptions{
				HeaderTimeout: 5 * time.Second, StallTimeout: 5 * time.Second, Retries: 1,
				sleep: func(context.Context, time.Duration) error { return nil },
			})
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			resp, err := src.Open(context.Background(), layout.Timestamp, Request{})
			if err != nil && Class(err) != "network" {
				t.Errorf("%s: %.200v", Class(err), err)
			}
			if err == nil {
				n, _ := io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
				resp.Body.Close()
				if n > 64<<10 && name != "many tiny chunks" {
					t.Errorf("%d bytes", n)
				}
			}
			e := s.endpoint()
			err = e.over(src).Refresh(context.Background())
			if class := Class(err); class != "network" && class != "verification" {
				t.Errorf("%s: %.200v", class, err)
			}
			e.have(versions{"timestamp": 0})
		})
	}
	t.Run("control", func(t *testing.T) {
		data := s.objects[layout.Timestamp]
		src, err := NewHTTPSource(scripted(t, fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", ok, len(data), data)), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		resp, err := src.Open(context.Background(), layout.Timestamp, Request{})
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if got, _ := io.ReadAll(resp.Body); string(got) != string(data) {
			t.Error("an honest answer is not read")
		}
	})
}
