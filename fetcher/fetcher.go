// SPDX-License-Identifier: Apache-2.0

// Package fetcher is a verifying client of TUF repositories: it returns files
// that follow from a trusted root, or an error.
//
// New takes the root of trust, a folder for what was verified before and a
// Source. Refresh brings root, timestamp, snapshot and targets up to date;
// Target finds one file; Download writes it; Bytes returns a small one.
// Standing, Channel and Artifact read Waybill's own signed documents, and Build
// makes an artifact by the cheapest of several ways. No function returns
// or leaves behind bytes that were not verified.
//
// It follows the client workflow of the TUF specification 1.0.34, section 5,
// and reads repositories made by other tools. Errors are typed: *VerifyError is
// the fault of the repository, *SourceError of the way to it, *LocalError of
// this machine.
//
// Stable: the exported names, the errors, and that a state folder written by
// one version is read by later ones.
package fetcher

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/waybill-project/waybill/internal/durable"
	"github.com/waybill-project/waybill/repo/layout"
)

// Client reads one repository. It may be used from several goroutines.
type Client struct {
	source Source
	store  *store
	opts   Options
	first  *root

	refreshing chan struct{} // held by the one Refresh at a time

	mu      sync.Mutex // guards what follows
	trusted *trusted
	edges   map[edge]*targets
	kept    int   // bytes of edges
	strikes []int // of the mirrors, as stored
}

// Options are all optional.
type Options struct {
	// Now is the clock; nil is time.Now. Every Refresh reads it once.
	Now func() time.Time
	// NotBefore is a time that this program knows to be past, such as the time of
	// its build. An earlier clock is taken for wrong.
	NotBefore time.Time
	// Logger gets what is noteworthy but no error; nil is silent.
	Logger *slog.Logger
	// Progress is called as a download goes on, never concurrently for one call.
	Progress func(Progress)
	// Ephemeral keeps nothing on disk. Protection against going back then lasts
	// as long as the Client.
	Ephemeral bool
	// Flat keeps the state in dir itself and not in a subfolder named by the
	// first trusted root. For callers that never use the folder for another repository.
	Flat bool
	// UnsafeIgnoreExpiry accepts metadata whose date has passed: whoever serves
	// the repository can then hold this client at an old state for ever.
	UnsafeIgnoreExpiry bool
	// Limits bound what is read; zero fields have secure defaults.
	Limits Limits
	// FS is the file system; nil is the real one. Locks are always real.
	FS durable.FS
}

// Limits bound what a Source can make a client read. Zero fields stand for the
// default given with each.
type Limits struct {
	Root        int64 // bytes of a root: 64 KiB
	Timestamp   int64 // bytes of a timestamp: 4 KiB
	Metadata    int64 // bytes of any other role: 32 MiB, less if its length is signed, at most 1 MiB if its hash is not
	Roots       int   // root rotations followed in one Refresh: 256
	Delegations int   // roles visited for one target: 32
	// Wait is for how long an HTTPSource may keep a client waiting for the metadata of one Refresh, or of
	// one search, or for all below one OneWalk: 60 s at each mirror. Beyond 8 files and 64 KiB, each file that verifies is worth 2 s more, and 4 KiB are
	// worth 1 s: as they come if their length is signed, or else once they have verified.
	Wait time.Duration
}

// Progress reports how far a download is.
type Progress struct {
	Name  string // target
	Done  int64  // bytes, with those kept from an earlier run
	Total int64
}

// New makes a client that trusts root, the bytes of a root.json that came with
// the program or was confirmed by a person; it need not be the newest and may
// be expired. dir is a private folder, made if missing, and may be shared by
// several processes and repositories. No request is made and nothing is written.
func New(root []byte, dir string, source Source, opts *Options) (c *Client, err error) {
	defer guard(&err)
	if m, ok := source.(*Mirrors); source == nil || ok && len(m.mirrors) == 0 {
		return nil, errors.New("fetcher: no source")
	}
	c = &Client{source: source, edges: map[edge]*targets{}, refreshing: make(chan struct{}, 1)}
	if opts != nil {
		c.opts = *opts
	}
	c.opts.Limits = c.opts.Limits.withDefaults()
	if c.opts.Now == nil {
		c.opts.Now = time.Now
	}
	if dir == "" && !c.opts.Ephemeral {
		return nil, errors.New("fetcher: no state folder")
	}
	if c.first, err = verifyFirstRoot(root); err != nil {
		return nil, err
	}
	c.store = openStore(dir, c.first, c.opts)
	c.recall()
	return c, nil
}

func (l Limits) withDefaults() Limits {
	def := func(v *int64, d int64) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&l.Root, layout.MaxRoot)
	def(&l.Timestamp, layout.MaxTimestamp)
	def(&l.Metadata, layout.MaxMetadata)
	if l.Roots <= 0 {
		l.Roots = 256
	}
	if l.Delegations <= 0 {
		l.Delegations = 32
	}
	if l.Wait <= 0 {
		l.Wait = time.Minute
	}
	return l
}

// Fingerprint names a repository by its first root: the hex SHA-256 of the
// canonical JSON of the signed part of root.
func Fingerprint(root []byte) (fingerprint string, err error) {
	defer guard(&err)
	d, err := parseDocument(root, "root", false)
	if err != nil {
		return "", err
	}
	return d.fingerprint(), nil
}

// CheckMetadata judges the form of one metadata file as a Client with default
// limits would: strict JSON, every field that the specification defines, limits on
// sizes and counts, of snapshot and targets those for files whose hash is signed. It checks no signature. For publishers, before they ask for
// signatures that clients would not accept. Errors are *VerifyError.
func CheckMetadata(role string, data []byte) (err error) {
	defer guard(&err)
	limits := Limits{}.withDefaults()
	most := limits.Metadata
	switch role {
	case "root":
		most = limits.Root
		_, err = parseRoot(data)
	case "timestamp":
		most = limits.Timestamp
		_, err = parseTimestamp(data)
	case "snapshot":
		_, err = parseSnapshot(data, true)
	default:
		_, err = parseTargets(data, role, true)
	}
	if err == nil && int64(len(data)) > most {
		err = &VerifyError{Role: role, Err: fmt.Errorf("%w: more than %d bytes", ErrTooLarge, most)}
	}
	return err
}

// Roots returns the verified roots as received, from the one given to New to
// the newest that is trusted.
func (c *Client) Roots() [][]byte {
	c.mu.Lock()
	t := c.trusted
	c.mu.Unlock()
	chain := c.storedRoots
	if t != nil {
		chain = func() []*root { return t.roots }
	}
	var out [][]byte
	for _, r := range chain() {
		out = append(out, []byte(r.text))
	}
	return out
}

// Clock returns the time by which the last Refresh that succeeded judged expiry, and
// whether the clock of the machine stood before it, which then was not believed.
// It is the zero time if there was none.
func (c *Client) Clock() (at time.Time, behind bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.trusted == nil {
		return time.Time{}, false
	}
	return c.trusted.at.time, c.trusted.at.behind
}

func (c *Client) debug(msg string, args ...any) {
	if c.opts.Logger != nil {
		c.opts.Logger.Debug(msg, args...)
	}
}

func (c *Client) warn(msg string, args ...any) {
	if c.opts.Logger != nil {
		c.opts.Logger.Warn(msg, args...)
	}
}
