// Go's reference implementation judges our checkpoints and proofs: golang.org/x/mod/sumdb/note and tlog.
//
// Reads a JSON list of cases from standard input and writes a JSON list of verdicts: "" or what is wrong.
// A case has the public key and either a proof with the bytes of its event (inclusion), or a proof with the
// older checkpoint (consistency).
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type attempt struct {
	Vkey  string
	Proof string
	Body  []byte // base64 in JSON
	Old   string
}

// tree is a checkpoint: origin, size, root.
type tree struct {
	origin string
	size   int64
	root   tlog.Hash
}

func open(signed, vkey string) (tree, error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return tree{}, err
	}
	opened, err := note.Open([]byte(signed), note.VerifierList(verifier))
	if err != nil {
		return tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return tree{}, fmt.Errorf("no checkpoint of %s", verifier.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tree{lines[0], size, root}, err
}

// split returns the number on the line "WORD NUMBER", the hashes after it, and the signed note below.
func split(text, word string) (int64, []tlog.Hash, string, error) {
	head, signed, found := strings.Cut(text, "\n\n")
	if !found {
		return 0, nil, "", fmt.Errorf("no empty line")
	}
	lines := strings.Split(head, "\n")
	number, err := strconv.ParseInt(strings.TrimPrefix(lines[0], word+" "), 10, 64)
	if err != nil {
		return 0, nil, "", err
	}
	hashes := []tlog.Hash{}
	for _, line := range lines[1:] {
		if line == "" { // a proof without hashes
			continue
		}
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return 0, nil, "", err
		}
		hashes = append(hashes, hash)
	}
	return number, hashes, signed, nil
}

func inclusion(one attempt) error {
	const format = "c2sp.org/tlog-proof@v1\n"
	if !strings.HasPrefix(one.Proof, format) {
		return fmt.Errorf("not of the format tlog-proof")
	}
	index, path, signed, err := split(strings.TrimPrefix(one.Proof, format), "index")
	if err != nil {
		return err
	}
	head, err := open(signed, one.Vkey)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(tlog.RecordProof(path), head.size, head.root, index, tlog.RecordHash(one.Body))
}

func consistency(one attempt) error {
	size, path, signed, err := split(one.Proof, "old")
	if err != nil {
		return err
	}
	head, err := open(signed, one.Vkey)
	if err != nil {
		return err
	}
	old, err := open(one.Old, one.Vkey)
	if err != nil {
		return err
	}
	if old.size != size {
		return fmt.Errorf("a proof from %d leaves says nothing of %d", size, old.size)
	}
	return tlog.CheckTree(tlog.TreeProof(path), head.size, head.root, old.size, old.root)
}

func main() {
	var attempts []attempt
	if err := json.NewDecoder(os.Stdin).Decode(&attempts); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	verdicts := []string{}
	for _, one := range attempts {
		judge := inclusion
		if one.Old != "" {
			judge = consistency
		}
		verdict := ""
		if err := judge(one); err != nil {
			verdict = err.Error()
		}
		verdicts = append(verdicts, verdict)
	}
	json.NewEncoder(os.Stdout).Encode(verdicts)
}
