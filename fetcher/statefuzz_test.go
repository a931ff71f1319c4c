// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// Whatever happens to the files of the state folder, the next run succeeds and
// trusts the newest root.
func TestDamagedStateAtRandom(t *testing.T) {
	s := graphSim(t, []arc{{"targets", "A", false, nil}})
	s.add("A", "file", []byte("content"))
	s.publish("root")
	s.release("A")
	e := s.endpoint()
	random := rand.New(rand.NewPCG(1, 2))
	const rounds = 400
	for round := range rounds {
		if err := e.lookup("file"); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if n := len(e.client().Roots()); n != 2 {
			t.Fatalf("round %d: %d roots", round, n)
		}
		for range 1 + random.IntN(3) {
			damage(t, e.dir, random)
		}
	}
	t.Logf("figure D14: %d times damaged at random, the state healed in one run each time; bound 1 run", rounds)
}

func damage(t *testing.T, dir string, random *rand.Rand) {
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && d.Name() != "lock" {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatal(err, files)
	}
	path := files[random.IntN(len(files))]
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	switch random.IntN(4) {
	case 0:
		err = os.Remove(path)
	case 1:
		err = os.WriteFile(path, data[:random.IntN(len(data)+1)], 0o600)
	case 2:
		other, _ := os.ReadFile(files[random.IntN(len(files))])
		err = os.WriteFile(path, other, 0o600)
	default:
		if len(data) > 0 {
			data[random.IntN(len(data))] ^= byte(1 << random.IntN(8))
		}
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
