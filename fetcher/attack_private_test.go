// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/waybill-project/waybill/repo/layout"
)

// Only on this machine does nobody listen; a private address is somebody else's machine.
func TestCredentialsOverPlainHTTP(t *testing.T) {
	token := func(context.Context) (string, error) { return "x", nil }
	for host, ok := range map[string]bool{
		"127.0.0.1": true, "127.1.2.3": true, "[::1]": true, "localhost": true, "LOCALHOST": false,
		"10.0.0.1": false, "192.168.1.1": false, "172.16.0.1": false, "169.254.1.1": false, "100.64.0.1": false, "[fd00::1]": false,
		"[fe80::1]": false, "0.0.0.0": false, "nas": false, "app.localhost": false, "localhost.example.com": false, "224.0.0.1": false,
	} {
		for name, opts := range map[string]HTTPOptions{
			"token": {Token: token}, "header": {Header: http.Header{"authorization": {"x"}}}, "cookie": {Header: http.Header{"Cookie": {"x"}}},
		} {
			if _, err := NewHTTPSource("http://"+host+"/", &opts); (err == nil) != ok {
				t.Errorf("%s to %s: %v", name, host, err)
			}
			if _, err := NewHTTPSource("https://"+host+"/", &opts); err != nil {
				t.Error(err)
			}
		}
		if _, err := NewHTTPSource("http://user:password@"+host+"/", nil); (err == nil) != ok {
			t.Errorf("password to %s: %v", host, err)
		}
	}
}

// No error shows a password, whatever is wrong with the URL.
func TestErrorsShowNoPassword(t *testing.T) {
	for _, base := range []string{
		"https://user:hunter2@exa mple.com/", "https://user:hunter2@host:port/", "https://user:hunter2@host/%zz", "ftp://user:hunter2@host/",
		"https://user:hunter2@host/?q", "http://user:hunter2@host/", "unix://user:hunter2@host/x", "://user:hunter2@host", "https://user:hunter2@[::1/",
	} {
		_, err := NewHTTPSource(base, nil)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", base, err)
		}
		_, err = NewHTTPSource("https://host/", &HTTPOptions{TargetsURL: base})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("targets at %s: %v", base, err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	src, err := NewHTTPSource("http://user:hunter2@"+l.Addr().String(), &HTTPOptions{Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := src.Open(context.Background(), layout.Timestamp, Request{}); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
}

// What a server says reaches errors, logs and files only in a few words, and a signed URL that
// it wants us to go to not at all.
func TestErrorsSayLittleOfWhatTheServerSays(t *testing.T) {
	long := strings.Repeat("A", 40<<10)
	for name, answer := range map[string]string{
		"redirect to a signed URL": "HTTP/1.1 302 Found\r\nLocation: https://other.example/x?X-Amz-Signature=hunter2\r\nContent-Length: 0\r\n\r\n",
		"long redirect":            "HTTP/1.1 302 Found\r\nLocation: ftp://x/" + long + "\r\nContent-Length: 0\r\n\r\n",
		"bad redirect":             "HTTP/1.1 302 Found\r\nLocation: https://[::1" + long + "\r\nContent-Length: 0\r\n\r\n",
		"long status":              "HTTP/1.1 500 " + long + "\r\nContent-Length: 0\r\n\r\n",
		"no HTTP":                  long + "\r\n\r\n",
		"bad header":               "HTTP/1.1 200 OK\r\n" + long + "\r\n\r\n",
		"bad length":               "HTTP/1.1 200 OK\r\nContent-Length: " + long + "\r\n\r\n",
		"bad encoding":             "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + long + "\r\n\r\n",
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = conn.Read(make([]byte, 4096))
				fmt.Fprint(conn, answer)
				conn.Close()
			}
		}()
		src, err := NewHTTPSource("http://"+l.Addr().String(), &HTTPOptions{
			Token: func(context.Context) (string, error) { return "s3cret", nil },
			sleep: func(context.Context, time.Duration) error { return nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = src.Open(context.Background(), layout.Timestamp, Request{})
		l.Close()
		switch {
		case err == nil:
			t.Errorf("%s: accepted", name)
		case len(err.Error()) > 600:
			t.Errorf("%s: %d bytes: %.100s", name, len(err.Error()), err)
		case strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "s3cret"):
			t.Errorf("%s: %v", name, err)
		case Class(err) != "network" || !strings.Contains(err.Error(), "127.0.0.1") && name != "long status":
			t.Errorf("%s: %v", name, err)
		}
	}
}
