// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/waybill-project/waybill/internal/cli"
	"golang.org/x/term"
)

// maxPassphrase bounds what is read as one, in bytes.
const maxPassphrase = 4096

// passphrases remembers what the file descriptor gave: it can be read once, and
// serves every key of the run.
type passphrases struct {
	fromFD []byte
}

// passphrase gives the passphrase of the private key that ref names. It asks
// only on a terminal.
func (a *app) passphrase(ctx context.Context, ref string) ([]byte, error) {
	if p, err := a.givenPassphrase(); p != nil || err != nil {
		return p, err
	}
	return a.askPassphrase(ctx, "Passphrase of "+ref+": ")
}

// newPassphrase is passphrase for a key that is being made: on a terminal it is
// typed twice.
func (a *app) newPassphrase(ctx context.Context, name string) ([]byte, error) {
	p, err := a.givenPassphrase()
	if err != nil {
		return nil, err
	}
	if p == nil {
		if p, err = a.askTwice(ctx, name); err != nil {
			return nil, err
		}
	}
	if len(p) == 0 {
		return nil, &cli.Error{Code: cli.KeyProblem, Err: fmt.Errorf("%s: the passphrase is empty", name)}
	}
	return p, nil
}

func (a *app) askTwice(ctx context.Context, name string) ([]byte, error) {
	p, err := a.askPassphrase(ctx, "New passphrase for "+name+": ")
	if err != nil {
		return nil, err
	}
	again, err := a.askPassphrase(ctx, "Once more: ")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(p, again) {
		return nil, &cli.Error{Code: cli.KeyProblem, Err: errors.New("the two passphrases differ")}
	}
	return p, nil
}

// givenPassphrase looks where a passphrase can be without asking: the file
// descriptor, the file, the environment. It gives nil if there is none.
func (a *app) givenPassphrase() ([]byte, error) {
	if a.passphraseFD >= 0 {
		return a.phrases.read(a.passphraseFD, a.stdin)
	}
	if path := a.env("WAYBILL_PASSPHRASE_FILE"); path != "" {
		f, err := os.Open(path)
		if err != nil {
			return nil, passphraseError(err)
		}
		defer f.Close()
		return firstLine(f)
	}
	if p := a.env("WAYBILL_PASSPHRASE"); p != "" {
		return []byte(p), nil
	}
	return nil, nil
}

func (p *passphrases) read(fd int, stdin io.Reader) ([]byte, error) {
	if p.fromFD != nil {
		return p.fromFD, nil
	}
	from := stdin
	if fd != 0 {
		f := os.NewFile(uintptr(fd), fmt.Sprintf("file descriptor %d", fd))
		if f == nil {
			return nil, passphraseError(fmt.Errorf("no file descriptor %d", fd))
		}
		defer f.Close()
		from = f
	}
	phrase, err := firstLine(from)
	p.fromFD = phrase
	return phrase, err
}

// firstLine reads a passphrase: everything up to the end or one line break at
// the end, which editors add.
func firstLine(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxPassphrase+1))
	if err != nil {
		return nil, passphraseError(err)
	}
	if len(data) > maxPassphrase {
		return nil, passphraseError(fmt.Errorf("longer than %d bytes", maxPassphrase))
	}
	data = bytes.TrimSuffix(bytes.TrimSuffix(data, []byte("\n")), []byte("\r"))
	if bytes.ContainsAny(data, "\r\n") {
		return nil, passphraseError(errors.New("more than one line"))
	}
	if data == nil {
		data = []byte{}
	}
	return data, nil
}

func (a *app) askPassphrase(ctx context.Context, prompt string) ([]byte, error) {
	f, ok := a.stdin.(*os.File)
	if !ok || !cli.IsTerminal(f) {
		return nil, &cli.Error{Code: cli.KeyProblem, Err: fmt.Errorf("%s no terminal to ask on", prompt),
			Hint: "give it with --passphrase-fd N, WAYBILL_PASSPHRASE_FILE or WAYBILL_PASSPHRASE"}
	}
	return readSecret(ctx, f, a.stderr, prompt)
}

// readSecret reads a line without echo. A cancelled context puts the terminal
// back as it was.
func readSecret(ctx context.Context, f *os.File, out io.Writer, prompt string) ([]byte, error) {
	state, err := term.GetState(int(f.Fd()))
	if err != nil {
		return nil, passphraseError(err)
	}
	fmt.Fprint(out, prompt)
	type answer struct {
		line []byte
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		line, err := term.ReadPassword(int(f.Fd()))
		answered <- answer{line, err}
	}()
	defer fmt.Fprintln(out)
	select {
	case got := <-answered:
		if got.err != nil {
			return nil, passphraseError(got.err)
		}
		return got.line, nil
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), term.Restore(int(f.Fd()), state))
	}
}

func passphraseError(err error) error {
	return &cli.Error{Code: cli.KeyProblem, Err: fmt.Errorf("passphrase: %w", err)}
}
