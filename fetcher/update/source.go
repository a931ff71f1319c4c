// SPDX-License-Identifier: Apache-2.0

package update

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/waybill-project/waybill/fetcher"
)

// sources makes the sources of a configuration. One whose credentials cannot be read fails when it is
// asked: what needs no network works without.
func (c *Config) sources(userAgent string) ([]fetcher.Source, error) {
	var out []fetcher.Source
	for _, address := range c.URLs {
		opts := &fetcher.HTTPOptions{UserAgent: userAgent}
		if len(c.URLs) > 1 {
			opts.Retries = 1 // the next mirror is the better retry
		}
		if c.sameHost(address) {
			if err := c.credentials(opts); err != nil {
				out = append(out, unusable{address, err})
				continue
			}
		}
		source, err := openSource(address, opts)
		if err != nil {
			return nil, err
		}
		out = append(out, source)
	}
	return out, nil
}

// unusable is a source that lacks its credentials.
type unusable struct {
	address string
	err     error
}

func (s unusable) String() string { return s.address }

func (s unusable) Open(_ context.Context, name string, _ fetcher.Request) (*fetcher.Response, error) {
	return nil, &fetcher.SourceError{Name: name, Err: s.err}
}

// sameHost tells whether credentials are meant for this URL: they are for the server of the first one.
func (c *Config) sameHost(address string) bool {
	first, err1 := url.Parse(c.URLs[0])
	this, err2 := url.Parse(address)
	return err1 == nil && err2 == nil && first.Scheme == this.Scheme && strings.EqualFold(first.Host, this.Host)
}

// openSource is the source for a repository URL: https, http, unix, or file with an absolute path.
func openSource(address string, opts *fetcher.HTTPOptions) (fetcher.Source, error) {
	u, err := url.Parse(address)
	if err != nil && strings.Contains(address, "@") {
		return nil, errors.New("malformed url with a name or password in it")
	}
	if err != nil {
		return nil, err
	}
	if u.User != nil {
		return nil, fmt.Errorf("url %q: name and password in a url are seen by others; put them into a header file", u.Redacted())
	}
	switch u.Scheme {
	case "https", "http", "unix":
		return fetcher.NewHTTPSource(address, opts)
	case "file":
		return openDir(u)
	}
	return nil, fmt.Errorf("url of scheme %q: the scheme is none of https, http, file, unix", u.Scheme)
}

func openDir(u *url.URL) (fetcher.Source, error) {
	if u.Host != "" && u.Host != "localhost" || u.Path == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("url %q: want file:///FOLDER", u)
	}
	path := u.Path
	if len(path) > 2 && path[0] == '/' && path[2] == ':' {
		path = path[1:] // file:///C:/folder
	}
	return fetcher.NewDirSource(filepath.FromSlash(path)), nil
}

// FileURL is the URL of a folder, for Config.URLs.
func FileURL(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	path := filepath.ToSlash(abs)
	if path[0] != '/' {
		path = "/" + path
	}
	return (&url.URL{Scheme: "file", Path: path}).String(), nil
}

// Bundle is a repository that was carried here; see OpenBundle.
type Bundle interface {
	fetcher.Source
	io.Closer
}

type folder struct{ *fetcher.DirSource }

func (folder) Close() error { return nil }

// OpenBundle opens a repository on a stick, for Options.Source: a folder, or a tar or zip file. An
// archive that is not one, or that is hostile, is a *fetcher.SourceError.
func OpenBundle(path string) (Bundle, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, local(path, err)
	}
	if info.IsDir() {
		return folder{fetcher.NewDirSource(path)}, nil
	}
	archive, err := fetcher.NewArchiveSource(path)
	if errors.Is(err, fetcher.ErrMalformed) {
		return nil, &fetcher.SourceError{Name: path, Err: err}
	}
	if err != nil {
		return nil, err
	}
	return archive, nil
}

// counting is a source that counts what was read of the metadata.
type counting struct {
	fetcher.Source
	metadata *atomic.Int64
}

// count wraps the sources one by one, as mirrors are told apart by what they served.
func (u *Updater) count(sources []fetcher.Source) fetcher.Source {
	if mirrors, ok := sources[0].(*fetcher.Mirrors); ok {
		return mirrors // of the caller; they do their own counting
	}
	if len(sources) == 1 {
		return counting{sources[0], &u.metadata}
	}
	wrapped := make([]fetcher.Source, len(sources))
	for i, s := range sources {
		wrapped[i] = counting{s, &u.metadata}
	}
	return fetcher.NewMirrors(wrapped...)
}

// String names the source, for errors about mirrors.
func (c counting) String() string {
	if named, ok := c.Source.(fmt.Stringer); ok {
		return named.String()
	}
	return "source"
}

func (c counting) Open(ctx context.Context, name string, req fetcher.Request) (*fetcher.Response, error) {
	r, err := c.Source.Open(ctx, name, req)
	if err != nil || r.Body == nil || !strings.HasPrefix(name, "metadata/") {
		return r, err
	}
	counted := *r
	counted.Body = &countedBody{r.Body, c.metadata}
	return &counted, nil
}

type countedBody struct {
	io.ReadCloser
	n *atomic.Int64
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n.Add(int64(n))
	return n, err
}
