// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waybill-project/waybill/delta"
)

func (m *Maker) try(ctx context.Context, opts *Options) (string, error) {
	old, new := []byte("one two three four five six seven"), []byte("one two three four 5 six seven eight")
	var out bytes.Buffer
	err := m.Make(ctx, delta.BSDiff4, bytes.NewReader(old), bytes.NewReader(new), int64(len(old)), int64(len(new)), &out, opts)
	return out.String(), err
}

// TestMakerLeavesSlowEngine checks that a run that misses the deadline costs
// no delta, and that no second run starts until it has ended.
func TestMakerLeavesSlowEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var started atomic.Int32
		m := NewMaker()
		m.search = func(base, result []byte) ([]byte, error) {
			started.Add(1)
			<-release
			return nil, errors.New("too late")
		}
		ctx := context.Background()
		began := time.Now()
		for range 3 {
			if patch, err := m.try(ctx, nil); err != nil || patch == "" {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); started.Load() != 1 || took != DefaultTime {
			t.Fatalf("%d runs, %v", started.Load(), took)
		}
		close(release)
		synctest.Wait()
		if _, err := m.try(ctx, nil); err != nil || started.Load() != 2 {
			t.Fatalf("%d runs, %v", started.Load(), err)
		}
	})
}

func TestMakerHonoursContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		m := NewMaker()
		m.search = func(base, result []byte) ([]byte, error) {
			<-release
			return nil, errors.New("too late")
		}
		first := make(chan error)
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			_, err := m.try(ctx, nil)
			first <- err
		}()
		synctest.Wait()
		waiting, stop := context.WithTimeout(context.Background(), time.Second)
		defer stop()
		if _, err := m.try(waiting, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("second caller: %v", err)
		}
		cancel()
		if err := <-first; !errors.Is(err, context.Canceled) || errors.Is(err, ErrBudget) {
			t.Fatalf("first caller: %v", err)
		}
		close(release)
	})
}

func TestMakerSurvivesBadEngine(t *testing.T) {
	for name, search := range map[string]func(base, result []byte) ([]byte, error){
		"fails":         func([]byte, []byte) ([]byte, error) { return nil, errors.New("no") },
		"empty patch":   func([]byte, []byte) ([]byte, error) { return nil, nil },
		"wrong patch":   func(base, _ []byte) ([]byte, error) { return bsdiffBytes(base, base) },
		"garbage patch": func([]byte, []byte) ([]byte, error) { return []byte("BSDIFF40"), nil },
	} {
		t.Run(name, func(t *testing.T) {
			m := NewMaker()
			m.search = search
			if patch, err := m.try(context.Background(), nil); err != nil || patch == "" {
				t.Fatal(err)
			}
		})
	}
}

func TestLongestRun(t *testing.T) {
	noise := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{1}).Read(noise)
	for _, c := range []struct {
		name   string
		period int
		length int
	}{{"zeros", 1, 600 << 10}, {"words", 4, 600 << 10}, {"odd", 1021, 600 << 10}, {"page", 4096, 600 << 10}, {"none", 1, 0}} {
		run := bytes.Repeat(noise[:c.period], c.length/c.period+1)[:c.length]
		data := bytes.Join([][]byte{noise[:300001], run, noise[500000:]}, nil)
		got := longestRun(data)
		if diff := got - c.length; diff < -2*runPeriod || diff > 2*runPeriod {
			t.Errorf("%s: %d, want about %d", c.name, got, c.length)
		}
	}
	if longestRun(nil) != 0 || longestRun(noise[:runPeriod+3]) != 0 {
		t.Error("short data has no run")
	}
}
