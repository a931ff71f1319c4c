// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Error is a failure with the exit code and, if there is one, the next thing to try.
// A nil Err ends the command with Code and prints nothing, as --exit-code needs.
type Error struct {
	Code int
	Err  error
	Hint string
}

func (e *Error) Error() string {
	if e.Err == nil {
		return Class(e.Code)
	}
	return e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// Fail reports how a command ended and returns its exit code: 0 for a nil error, the
// code of the outermost [*Error], 130 for a cancelled context, else 1. People get
// "NAME: error: ..." and "NAME: hint: ..." on stderr; with jsonMode, a script gets
// what [ErrorObject] returns on stdout.
func Fail(name string, err error, jsonMode bool, stdout, stderr io.Writer) int {
	if err == nil {
		return OK
	}
	code, hint, silent := explain(err)
	switch {
	case silent:
	case jsonMode:
		JSON(stdout, ErrorObject(err))
	default:
		fmt.Fprintf(stderr, "%s: error: %s\n", name, Printable(err.Error()))
		if hint != "" {
			fmt.Fprintf(stderr, "%s: hint: %s\n", name, Printable(hint))
		}
	}
	return code
}

func explain(err error) (code int, hint string, silent bool) {
	var failure *Error
	if !errors.As(err, &failure) {
		if errors.Is(err, context.Canceled) {
			return Interrupted, "", false
		}
		return Failure, "", false
	}
	return failure.Code, innermostHint(failure), failure.Err == nil
}

// innermostHint takes the hint nearest to the caller; an error that adds none keeps
// that of its cause.
func innermostHint(failure *Error) string {
	for failure.Hint == "" {
		var cause *Error
		if !errors.As(failure.Err, &cause) {
			return ""
		}
		failure = cause
	}
	return failure.Hint
}

// ErrorObject is an error for a script:
// {"error":{"code":4,"class":"verification","message":"...","hint":"...","details":...}}.
// The details are those of the first error in the chain that has a method Details() any.
func ErrorObject(err error) any {
	code, hint, _ := explain(err)
	body := errorBody{Code: code, Class: Class(code), Message: err.Error(), Hint: hint}
	var detailed interface{ Details() any }
	if errors.As(err, &detailed) {
		body.Details = detailed.Details()
	}
	return errorObject{body}
}

type errorObject struct {
	Error errorBody `json:"error"`
}

type errorBody struct {
	Code    int    `json:"code"`
	Class   string `json:"class"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	Details any    `json:"details,omitempty"`
}

// JSON writes a value as one indented JSON document with a final newline.
func JSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// Printable escapes what could control a terminal, such as text that a server sent.
// Line breaks stay and the lines that follow are indented.
func Printable(text string) string {
	var out strings.Builder
	for _, r := range text {
		switch {
		case r == '\n':
			out.WriteString("\n  ")
		case r == '\t' || unicode.IsPrint(r):
			out.WriteRune(r)
		default:
			fmt.Fprintf(&out, "\\u%04x", r)
		}
	}
	return out.String()
}
