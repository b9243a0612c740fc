// Makes calls of Matchbox's gRPC API with the client that its own module publishes. Reads a call a line from standard
// input, {"service": "Groups", "method": "GroupPut", "request": {...}}, and answers each with a line, {"code": 0,
// "message": "", "response": {...}}; requests and responses are protobuf's JSON.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"reflect"
	"time"

	"github.com/poseidon/matchbox/matchbox/client"
	"github.com/poseidon/matchbox/matchbox/tlsutil"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
)

type call struct {
	Service string          `json:"service"`
	Method  string          `json:"method"`
	Request json.RawMessage `json:"request"`
}

type answer struct {
	Code     uint32          `json:"code"`
	Message  string          `json:"message"`
	Response json.RawMessage `json:"response,omitempty"`
}

func main() {
	if len(os.Args) != 5 {
		log.Fatal("usage: matchbox-client ENDPOINT CA CERTIFICATE KEY")
	}
	info := tlsutil.TLSInfo{CAFile: os.Args[2], CertFile: os.Args[3], KeyFile: os.Args[4]}
	config, err := info.ClientConfig()
	if err != nil {
		log.Fatal(err)
	}
	c, err := client.New(&client.Config{
		Endpoints:   []string{os.Args[1]},
		DialTimeout: 10 * time.Second,
		TLS:         config,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 32<<20)
	for lines.Scan() {
		var asked call
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			log.Fatal(err)
		}
		said, err := json.Marshal(answerTo(c, asked))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(said))
	}
}

// message gives a message of the published package, which is of protobuf's first API, its second.
func message(value reflect.Value) proto.Message {
	return protoadapt.MessageV2Of(value.Interface().(protoadapt.MessageV1))
}

func answerTo(c *client.Client, asked call) answer {
	method := reflect.ValueOf(c).Elem().FieldByName(asked.Service).MethodByName(asked.Method)
	request := reflect.New(method.Type().In(1).Elem())
	if err := protojson.Unmarshal(asked.Request, message(request)); err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	results := method.Call([]reflect.Value{reflect.ValueOf(ctx), request})
	if err, failed := results[1].Interface().(error); failed {
		said := status.Convert(err)
		return answer{Code: uint32(said.Code()), Message: said.Message()}
	}
	response, err := protojson.Marshal(message(results[0]))
	if err != nil {
		log.Fatal(err)
	}
	return answer{Response: response}
}
