// Judges configs with Butane's and Ignition's own libraries, many in one process: a line of JSON in, a line of JSON out. What it
// says is what `butane --files-dir` and `ignition-validate` say; those print texts for people.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	butane "github.com/coreos/butane/config"
	"github.com/coreos/butane/config/common"
	ignition "github.com/coreos/ignition/v2/config"
	newest "github.com/coreos/ignition/v2/config/v3_6"
	"github.com/coreos/vcontext/report"
)

type question struct {
	Butane   bool   `json:"butane"`
	Text     []byte `json:"text"` // base64
	FilesDir string `json:"filesDir"`
}

type entry struct {
	Severity string        `json:"severity"`
	Path     []interface{} `json:"path"`
	Line     int64         `json:"line"`
	Column   int64         `json:"column"`
	Message  string        `json:"message"`
}

type verdict struct {
	Accepted bool    `json:"accepted"`
	Error    string  `json:"error"` // why nothing came out
	Entries  []entry `json:"entries"`
	Output   string  `json:"output"`
}

func main() {
	lines := bufio.NewReaderSize(os.Stdin, 1<<16)
	out := bufio.NewWriter(os.Stdout)
	answers := json.NewEncoder(out)
	answers.SetEscapeHTML(false)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var asked question
		if err := json.Unmarshal(line, &asked); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if err := answers.Encode(judge(asked)); err != nil {
			os.Exit(1)
		}
		out.Flush()
	}
}

// judge answers one question. A panic of a library refuses the config, as it would end the program.
func judge(asked question) (said verdict) {
	defer func() {
		if fault := recover(); fault != nil {
			said = verdict{Error: fmt.Sprintf("panic: %v", fault), Entries: []entry{}}
		}
	}()
	var found report.Report
	var err error
	if asked.Butane {
		var made []byte
		options := common.TranslateBytesOptions{}
		options.FilesDir = asked.FilesDir
		made, found, err = butane.TranslateBytes(asked.Text, options)
		said.Output = string(made)
	} else {
		_, found, err = ignition.Parse(asked.Text)
		if read, _, fault := newest.ParseCompatibleVersion(asked.Text); fault == nil {
			written, _ := json.Marshal(read)
			said.Output = string(written)
		}
	}
	said.Accepted = err == nil && !found.IsFatal()
	if err != nil {
		said.Error = err.Error()
	}
	said.Entries = []entry{}
	for _, one := range found.Entries {
		line, column := one.Marker.Start()
		way := one.Context.Path
		if way == nil {
			way = []interface{}{}
		}
		said.Entries = append(said.Entries, entry{one.Kind.String(), way, line, column, one.Message})
	}
	return said
}
