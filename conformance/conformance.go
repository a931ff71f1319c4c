// SPDX-License-Identifier: Apache-2.0

// Package conformance is a corpus of honest and hostile TUF repositories and binary
// patches, and a runner that holds any implementation against it.
//
// A case is a folder of cases/FAMILY/NAME: case.json says what is served step by
// step, which verb the client is given, how that must end and what the client must
// then trust; the files beside it are what is served, byte for byte. [Cases] reads
// them all. [Run] drives a [Client] through them in a Go test; [Program] is a Client
// that is a program in any language, driven over the command line that README.md
// describes. [Case.Check] is the same without a test.
//
// A second corpus holds patches: a folder of patches/FORMAT/NAME is one patch for one
// application, with what is signed about it. [Patches] reads them, [RunPatches] holds an
// [Applier] against them; Program is an Applier too.
//
// Both formats are documented in README.md. Names of cases, fields and classes stay;
// cases are only added or corrected.
package conformance

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"
)

//go:embed cases shared
var corpus embed.FS

// Case is one scenario for one client with an empty state.
type Case struct {
	Name   string `json:"name"`
	Family string `json:"family"`
	Shows  string `json:"shows"`  // what a client that passes has shown
	Source string `json:"source"` // specification section, test of the public suite or advisory
	// Beyond marks what is wise but not demanded by the TUF specification.
	Beyond bool      `json:"beyond,omitempty"`
	Clock  time.Time `json:"clock"`
	Root   string    `json:"root"` // file given to the verb init
	Steps  []Step    `json:"steps"`

	files fs.FS
	dir   string
}

// Step changes what is served, gives the client one verb and judges it.
type Step struct {
	// Serve maps URL paths, escaped, to what is answered from now on; nil is 404
	// again. Paths that are not mentioned stay as in the step before.
	Serve map[string]*Reply `json:"serve,omitempty"`
	// Damage overwrites files of the metadata folder, as a power cut may; nil deletes.
	Damage map[string]*string `json:"damage,omitempty"`
	Clock  *time.Time         `json:"clock,omitempty"` // in place of the one of the case
	Verb   string             `json:"verb"`            // Refresh, Download or Release
	// Targets are the names given to Download.
	Targets []string `json:"targets,omitempty"`
	// Product, Channel and Platform are given to Release.
	Product  string `json:"product,omitempty"`
	Channel  string `json:"channel,omitempty"`
	Platform string `json:"platform,omitempty"`
	// Expect is OK, Any, Fail or classes of errors joined by "|".
	Expect string `json:"expect"`
	// Trusted are the versions in the metadata folder afterwards; 0 is no file.
	Trusted map[string]int64 `json:"trusted,omitempty"`
	// Files are the targets in the target folder afterwards, with their SHA-256.
	Files map[string]string `json:"files,omitempty"`
	// May are targets that may be there too, because implementations differ.
	May map[string]string `json:"may,omitempty"`
	// Asked are the requests of this step in order, if they are prescribed.
	Asked []string `json:"asked,omitempty"`
}

// Reply is what a path answers. In JSON a plain file is just its name.
type Reply struct {
	File     string `json:"file,omitempty"`
	Pad      int64  `json:"pad,omitempty"`      // spaces that follow the file
	Endless  bool   `json:"endless,omitempty"`  // spaces that follow and do not end
	Cut      int64  `json:"cut,omitempty"`      // break off after so many bytes
	Status   int    `json:"status,omitempty"`   // 200
	Location string `json:"location,omitempty"` // of a redirect
	Encoding string `json:"encoding,omitempty"` // Content-Encoding that nobody asked for
	Headers  int    `json:"headers,omitempty"`  // bytes of useless headers
	Range    string `json:"range,omitempty"`    // how requests with Range are answered: honest, shifted, other, refused
}

// UnmarshalJSON accepts the name of a file for a Reply.
func (r *Reply) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &r.File)
	}
	type plain Reply
	return json.Unmarshal(data, (*plain)(r))
}

// MarshalJSON is the inverse of UnmarshalJSON.
func (r Reply) MarshalJSON() ([]byte, error) {
	if r == (Reply{File: r.File}) {
		return json.Marshal(r.File)
	}
	type plain Reply
	return json.Marshal(plain(r))
}

// Verbs.
const (
	Init     = "init"
	Refresh  = "refresh"
	Download = "download"
	Release  = "release" // for clients that know Waybill's documents
)

// What Expect holds beside classes.
const (
	OK   = "ok"
	Fail = "fail" // whatever the class
	Any  = "any"  // implementations differ: succeed or fail, but do no harm
)

// Classes of errors.
const (
	Signature     = "signature"      // a signature is missing, foreign or wrong
	Threshold     = "threshold"      // too few valid signatures
	Expired       = "expired"        // genuine, but over its date
	Rollback      = "rollback"       // older than what was trusted before
	Mismatch      = "mismatch"       // version, length, hash or type is not what was signed
	TooLarge      = "too-large"      // more bytes than allowed
	Malformed     = "malformed"      // not metadata
	WrongSoftware = "wrong-software" // genuine, but not what was asked for
	Clock         = "clock"          // the clock is behind what was verified before
	Network       = "network"        // a listed file cannot be had
	Absent        = "absent"         // no role lists the target
	Space         = "space"          // the disk has no room for it
)

// Classes are all classes that Expect can name.
func Classes() []string {
	return []string{Signature, Threshold, Expired, Rollback, Mismatch, TooLarge, Malformed, WrongSoftware, Clock, Network, Absent, Space}
}

// Cases returns the whole corpus in the order of families and names.
func Cases() ([]Case, error) { return Read(corpus) }

// Read returns the cases of another copy of the corpus: a folder with cases and shared.
func Read(files fs.FS) ([]Case, error) {
	names, err := fs.Glob(files, "cases/*/*/case.json")
	if err != nil {
		return nil, err
	}
	cases := make([]Case, 0, len(names))
	for _, name := range names {
		c := Case{files: files, dir: path.Dir(name)}
		data, err := fs.ReadFile(files, name)
		if err == nil {
			err = json.Unmarshal(data, &c)
		}
		if err == nil && c.dir != "cases/"+c.Family+"/"+c.Name {
			err = fmt.Errorf("says that it is %s/%s", c.Family, c.Name)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		cases = append(cases, c)
	}
	return cases, nil
}

// file reads a file of the case; those of several cases lie in shared.
func (c *Case) file(name string) ([]byte, error) {
	if strings.HasPrefix(name, "shared/") {
		return fs.ReadFile(c.files, name)
	}
	return fs.ReadFile(c.files, path.Join(c.dir, name))
}
