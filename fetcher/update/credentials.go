// SPDX-License-Identifier: Apache-2.0

package update

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/waybill-project/waybill/fetcher"
)

const maxSecret = 16 << 10

// credentials reads the header file once, and the token file for every request, as
// tokens are replaced while a watch goes on.
func (c *Config) credentials(opts *fetcher.HTTPOptions) error {
	if c.HeaderFile != "" {
		data, err := readSecret(c.HeaderFile)
		if err != nil {
			return err
		}
		if opts.Header, err = parseHeader(data); err != nil {
			return &ConfigError{c.HeaderFile, err}
		}
	}
	if c.TokenFile != "" {
		opts.Token = func(context.Context) (string, error) {
			data, err := readSecret(c.TokenFile)
			return strings.TrimSpace(string(data)), err
		}
	}
	return nil
}

// checkSecrets reads what there is to read, so that a mistake shows when the endpoint is set up.
func (c *Config) checkSecrets() error {
	var opts fetcher.HTTPOptions
	err := c.credentials(&opts)
	if err == nil && opts.Token != nil {
		_, err = opts.Token(context.Background())
	}
	return err
}

// ErrPermissions says that others may read or write a file with a secret.
var ErrPermissions = errors.New("others may read or change it")

func readSecret(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, local(path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, local(path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, local(path, errors.New("not a regular file"))
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o027 != 0 {
		return nil, local(path, ErrPermissions)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err == nil && len(data) > maxSecret {
		err = fmt.Errorf("more than %d bytes", maxSecret)
	}
	return data, local(path, err)
}

// reserved are the headers that a source sets itself, or that would make a request another one.
var reserved = []string{"Host", "Range", "If-Range", "If-None-Match", "Accept-Encoding", "Content-Length", "Transfer-Encoding",
	"Connection", "Upgrade", "Trailer", "Te", "Expect", "User-Agent"}

// parseHeader reads lines "Name: value"; empty ones and those that start with # are skipped. No error shows a value.
func parseHeader(data []byte) (http.Header, error) {
	h := http.Header{}
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		printable := func(r rune) bool { return r < ' ' || r > '~' }
		if !ok || !isToken(name) || value == "" || strings.IndexFunc(value, printable) >= 0 {
			return nil, fmt.Errorf("line %d is not NAME: VALUE", number)
		}
		if slices.Contains(reserved, http.CanonicalHeaderKey(name)) {
			return nil, fmt.Errorf("line %d: %s is not for this file", number, name)
		}
		h.Add(name, value)
	}
	if len(h) == 0 {
		return nil, errors.New("no header in it")
	}
	return h, nil
}

func isToken(name string) bool {
	const other = "!#$%&'*+-.^_`|~"
	return name != "" && strings.IndexFunc(name, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune(other, r)
	}) < 0
}
