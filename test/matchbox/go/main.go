// Go itself, as Matchbox uses it: reads questions as lines of JSON and prints the answers, so that ours can be
// compared with them. It needs nothing but the standard library.
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"text/template"
	"time"
)

// question is one line: what is asked, and what it is asked of. Texts that need not be UTF-8 are in Base64.
type question struct {
	Ask     string
	Text    string // base64
	Data    string // template: the metadata, base64 of JSON
	Query   map[string]string
	Method  string
	Headers [][2]string
	Size    int
	Mtime   float64 // seconds; below zero: none
}

// answer is printed for each question.
type answer struct {
	Error   string            `json:"error,omitempty"`
	Text    string            `json:"text"` // base64
	Status  int               `json:"status,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
}

// group is the file of a group; names and types are those of Matchbox's documentation.
type group struct {
	Id       string                 `json:"id,omitempty"`
	Name     string                 `json:"name,omitempty"`
	Profile  string                 `json:"profile,omitempty"`
	Selector map[string]string      `json:"selector,omitempty"`
	Metadata map[string]interface{} `json:"metadata,omitempty"`
}

type boot struct {
	Kernel string   `json:"kernel,omitempty"`
	Initrd []string `json:"initrd,omitempty"`
	Args   []string `json:"args,omitempty"`
}

type profile struct {
	Id         string `json:"id,omitempty"`
	Name       string `json:"name,omitempty"`
	IgnitionId string `json:"ignition_id,omitempty"`
	CloudId    string `json:"cloud_id,omitempty"`
	Boot       *boot  `json:"boot,omitempty"`
	GenericId  string `json:"generic_id,omitempty"`
}

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			var q question
			if err := json.Unmarshal(line, &q); err != nil {
				panic(err)
			}
			text, _ := json.Marshal(ask(q))
			out.Write(append(text, '\n'))
		}
		if err == io.EOF {
			return
		}
	}
}

func ask(q question) (a answer) {
	defer func() {
		if r := recover(); r != nil {
			a = answer{Error: fmt.Sprint("panic: ", r)}
		}
	}()
	text, err := base64.StdEncoding.DecodeString(q.Text)
	if err != nil {
		panic(err)
	}
	switch q.Ask {
	case "template":
		return render(string(text), q)
	case "date":
		t, err := http.ParseTime(string(text))
		return of([]byte(fmt.Sprint(t.Unix())), err)
	case "content":
		return content(q)
	case "group":
		g := new(group)
		if err := json.Unmarshal(text, g); err != nil {
			return answer{Error: err.Error()}
		}
		for key, value := range g.Selector {
			if strings.ToLower(key) == "mac" {
				mac, err := net.ParseMAC(value)
				if err != nil {
					return answer{Error: err.Error()}
				}
				g.Selector[key] = mac.String()
			}
		}
		js, err := json.MarshalIndent(g, "", "\t")
		return of(js, err)
	case "profile":
		p := new(profile)
		err := json.Unmarshal(text, p)
		if err == nil && p.Id == "" {
			err = fmt.Errorf("no id")
		}
		js, _ := json.MarshalIndent(p, "", "\t")
		return of(js, err)
	}
	panic(q.Ask)
}

func of(text []byte, err error) answer {
	if err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Text: base64.StdEncoding.EncodeToString(text)}
}

func render(source string, q question) answer {
	data := map[string]interface{}{}
	metadata, _ := base64.StdEncoding.DecodeString(q.Data)
	if err := json.Unmarshal(metadata, &data); err != nil {
		return answer{Error: "data: " + err.Error()}
	}
	data["request"] = map[string]interface{}{"query": q.Query, "raw_query": ""}
	t, err := template.New("").Option("missingkey=error").Parse(source)
	if err != nil {
		return answer{Error: err.Error()}
	}
	var buf limited
	err = t.Execute(&buf, data)
	return of(buf.Bytes(), err)
}

// limited refuses what is longer than ours may be.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > 8<<20 {
		return 0, fmt.Errorf("too long")
	}
	return l.Buffer.Write(p)
}

func content(q question) answer {
	r := httptest.NewRequest("GET", "/x", nil)
	r.Method = q.Method
	for _, h := range q.Headers {
		r.Header.Add(h[0], h[1])
	}
	body := make([]byte, q.Size)
	for i := range body {
		body[i] = byte('a' + i%26)
	}
	var at time.Time
	if q.Mtime >= 0 {
		at = time.UnixMilli(int64(q.Mtime * 1000))
	}
	w := httptest.NewRecorder()
	w.Header().Set("Etag", q.Query["etag"])
	if q.Query["etag"] == "" {
		w.Header().Del("Etag")
	}
	http.ServeContent(w, r, "", at, bytes.NewReader(body))
	res := w.Result()
	got, _ := io.ReadAll(res.Body)
	h := map[string]string{}
	for k := range res.Header {
		h[strings.ToLower(k)] = res.Header.Get(k)
	}
	a := of(got, nil)
	a.Status, a.Headers = res.StatusCode, h
	return a
}
