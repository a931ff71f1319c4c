// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

const maxRedirects = 3

var errRedirect = errors.New("redirect refused")

// newClient has its own transport: nothing of the process-wide default is used or
// changed. HTTP/1.1 only, which has the smaller attack surface.
func (s *HTTPSource) newClient() *http.Client {
	dialer := &net.Dialer{Timeout: s.opts.ConnectTimeout, KeepAlive: 30 * time.Second}
	guarded := *dialer
	guarded.Control = refusePrivate
	t := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		TLSNextProto:           map[string]func(string, *tls.Conn) http.RoundTripper{},
		TLSHandshakeTimeout:    s.opts.ConnectTimeout,
		ResponseHeaderTimeout:  s.opts.HeaderTimeout,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        60 * time.Second,
		ReadBufferSize:         1 << 10, // an answer's headers; what is longer than this is read past it
		WriteBufferSize:        1 << 10, // a request
	}
	if s.socket != "" {
		t.Proxy = nil
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", s.socket)
		}
		return &http.Client{Transport: t, CheckRedirect: s.checkRedirect}
	}
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if s.configured(addr) {
			return dialer.DialContext(ctx, network, addr)
		}
		return guarded.DialContext(ctx, network, addr)
	}
	return &http.Client{Transport: t, CheckRedirect: s.checkRedirect}
}

// configured tells whether the operator named this address: a base URL or a
// proxy. Only those may be private.
func (s *HTTPSource) configured(addr string) bool {
	for _, base := range []*url.URL{s.metadata, s.targets} {
		if addr == hostPort(base) || isLocal(base.Hostname()) {
			return true
		}
		proxy, err := http.ProxyFromEnvironment(&http.Request{URL: base})
		if err == nil && proxy != nil && addr == hostPort(proxy) {
			return true
		}
	}
	return false
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// isLocal reports names and literal addresses that are not on the internet.
func isLocal(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && privateAddr(addr)
}

// onThisMachine reports the names that lead neither onto a wire nor to a proxy, spelled as net/http
// knows them when it decides about a proxy.
func onThisMachine(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

func privateAddr(a netip.Addr) bool {
	a = inner(a.Unmap())
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return true
	}
	for _, special := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "198.18.0.0/15", "240.0.0.0/4", // RFC 6890
		"::/96", "fec0::/10", // obsolete: IPv4-compatible (RFC 4291, 2.5.5.1), site-local (RFC 3879)
	} {
		if netip.MustParsePrefix(special).Contains(a) {
			return true
		}
	}
	return false
}

// inner is the IPv4 address that a gateway sends to what is for an IPv6 address: of NAT64 (RFC 6052, RFC 8215)
// and of 6to4 (RFC 3056).
func inner(a netip.Addr) netip.Addr {
	b := a.As16()
	for prefix, at := range map[string]int{"64:ff9b::/96": 12, "64:ff9b:1::/48": 12, "2002::/16": 2} {
		if netip.MustParsePrefix(prefix).Contains(a) {
			return netip.AddrFrom4([4]byte(b[at : at+4]))
		}
	}
	return a
}

// refusePrivate looks at the address that is really dialled, after the name was
// resolved.
func refusePrivate(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil || privateAddr(ap.Addr()) {
		return fmt.Errorf("%w: to the private address %s", errRedirect, address)
	}
	return nil
}

// checkRedirect allows few hops, none that loses encryption, none that carries
// credentials to another host, none into a private network from outside.
func (s *HTTPSource) checkRedirect(next *http.Request, via []*http.Request) error {
	from := via[0].URL
	switch {
	case len(via) > maxRedirects:
		return fmt.Errorf("%w: more than %d", errRedirect, maxRedirects)
	case next.URL.Scheme != "https" && (next.URL.Scheme != "http" || via[len(via)-1].URL.Scheme == "https"):
		return fmt.Errorf("%w: to %s", errRedirect, next.URL.Scheme)
	case next.URL.User != nil:
		return fmt.Errorf("%w: with credentials in the URL", errRedirect)
	case next.URL.Host == from.Host:
		s.dropCredentials(next)
		return nil
	case len(s.opts.Header) > 0 || s.opts.Token != nil || from.User != nil || s.socket != "":
		return fmt.Errorf("%w: to another host, with credentials", errRedirect)
	case isLocal(next.URL.Hostname()) && !isLocal(from.Hostname()):
		return fmt.Errorf("%w: to the private host %s", errRedirect, next.URL.Hostname())
	}
	next.Header.Del("Referer")
	return nil
}

// dropCredentials takes from a request what the operator added to it.
func (s *HTTPSource) dropCredentials(r *http.Request) {
	for name := range s.opts.Header {
		r.Header.Del(name)
	}
	r.Header.Del("Authorization")
	r.Header.Del("Cookie")
}
