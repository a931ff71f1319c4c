// SPDX-License-Identifier: Apache-2.0

package diff

import "context"

const (
	sharedRun  = 16 // places in a row that a filter knows if it has their text
	filterNext = 0xd6e8feb86659fd93
)

// strangers reports whether base and result have no eight bytes in common, so
// that there is nothing to align. Filters of what is left of one leave less and
// less of the other. It gives up soon where there is something; known is of all
// the base.
func strangers(ctx context.Context, known *filter, base, result []byte) (bool, error) {
	factor := known.factor
	next := func(text []byte, at []int32) *filter {
		factor *= filterNext // so that it errs elsewhere than the last one
		return filterOf(text, at, factor)
	}
	left, ok, err := known.places(ctx, result)
	if err != nil || !ok {
		return false, err
	}
	others, ok, err := next(result, left).places(ctx, base)
	if err != nil || !ok {
		return false, err
	}
	for len(left) > 0 {
		before := len(left)
		left = next(base, others).keep(result, left)
		others = next(result, left).keep(base, others)
		if len(left) > before/2 {
			return false, context.Cause(ctx)
		}
	}
	return true, context.Cause(ctx)
}

// places lists where a text has eight bytes that the filter may be of, at most
// a quarter of all places; not ok are more, and many in a row.
func (f *filter) places(ctx context.Context, text []byte) (at []int32, ok bool, err error) {
	row := 0
	for i := 0; i+8 <= len(text); i++ {
		if i%checkEvery == 0 && ctx.Err() != nil {
			return nil, false, context.Cause(ctx)
		}
		if !f.has(text[i:]) {
			row = 0
			continue
		}
		at = append(at, int32(i))
		if row++; row == sharedRun || len(at) > len(text)/4 {
			return nil, false, nil
		}
	}
	return at, true, nil
}

// keep drops the places where a text has eight bytes that the filter is not of.
func (f *filter) keep(text []byte, at []int32) []int32 {
	kept := at[:0]
	for _, i := range at {
		if f.has(text[i:]) {
			kept = append(kept, i)
		}
	}
	return kept
}

func filterOf(text []byte, at []int32, factor uint64) *filter {
	f := emptyFilter(len(at), factor)
	for _, i := range at {
		f.add(text[i:])
	}
	return f
}
