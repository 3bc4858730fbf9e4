package dynamo

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// strict checks requests for what AWS refuses and the engines let pass: names in
// expressions that need a placeholder, placeholders that are not used, expressions
// that are too long, batches that are too large.
type strict struct {
	t    testing.TB
	next http.RoundTripper
}

var (
	expressionWord = regexp.MustCompile(`[#:]?[A-Za-z0-9_.]+`)
	expressionKeys = []string{"KeyConditionExpression", "ConditionExpression", "UpdateExpression", "ProjectionExpression", "FilterExpression"}
	// expressionWords are the words and functions that we use.
	expressionWords = []string{
		"AND", "OR", "BETWEEN", "SET", "REMOVE", "attribute_exists", "attribute_not_exists", "attribute_type",
	}
)

const (
	maxExpression = 4096
	maxOperators  = 300
)

func (s strict) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	req.Body.Close()
	if err != nil {
		return nil, err
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	_, action, _ := strings.Cut(req.Header.Get("X-Amz-Target"), ".")
	for _, why := range objections(body) {
		s.t.Errorf("%s: %s: %.2000s", action, why, body)
	}
	return s.next.RoundTrip(req)
}

func objections(body []byte) (all []string) {
	var request map[string]json.RawMessage
	if err := json.Unmarshal(body, &request); err != nil {
		return []string{err.Error()}
	}
	var named, valued map[string]json.RawMessage
	_ = json.Unmarshal(request["ExpressionAttributeNames"], &named)
	_ = json.Unmarshal(request["ExpressionAttributeValues"], &valued)
	used := map[string]bool{}
	for _, key := range expressionKeys {
		var expression string
		_ = json.Unmarshal(request[key], &expression)
		operators := 0
		for _, word := range expressionWord.FindAllString(expression, -1) {
			switch word[0] {
			case '#', ':':
				used[word] = true
			default:
				if !slices.Contains(expressionWords, word) {
					all = append(all, "the name "+word+" needs a placeholder")
				}
				operators++
			}
		}
		operators += strings.Count(expression, "=") + strings.Count(expression, "<") + strings.Count(expression, ">")
		if len(expression) > maxExpression || operators > maxOperators {
			all = append(all, key+" is too long")
		}
	}
	for placeholder := range named {
		if !used[placeholder] {
			all = append(all, placeholder+" is not used")
		}
		delete(used, placeholder)
	}
	for placeholder := range valued {
		if !used[placeholder] {
			all = append(all, placeholder+" is not used")
		}
		delete(used, placeholder)
	}
	for placeholder := range used {
		all = append(all, placeholder+" is not defined")
	}
	var tables map[string]json.RawMessage
	_ = json.Unmarshal(request["RequestItems"], &tables)
	for _, raw := range tables {
		var writes []json.RawMessage
		var reads struct{ Keys []json.RawMessage }
		_ = json.Unmarshal(raw, &writes)
		_ = json.Unmarshal(raw, &reads)
		if len(writes) > batchWrite || len(reads.Keys) > batchGet {
			all = append(all, "the batch is too large")
		}
	}
	return all
}

// TestObjections is the proof that strict can object.
func TestObjections(t *testing.T) {
	for body, want := range map[string]int{
		`{"ConditionExpression":"attribute_not_exists(_p)"}`:                                                                                                      1,
		`{"ConditionExpression":"attribute_not_exists(#p)","ExpressionAttributeNames":{"#p":"_p"}}`:                                                               0,
		`{"ConditionExpression":"attribute_not_exists(#p)","ExpressionAttributeNames":{"#p":"_p","#k":"_k"}}`:                                                     1,
		`{"ConditionExpression":"#p=:p","ExpressionAttributeNames":{"#p":"_p"}}`:                                                                                  1,
		`{"UpdateExpression":"SET ` + strings.Repeat("#a=:a,", 300) + `#a=:a","ExpressionAttributeNames":{"#a":"a"},"ExpressionAttributeValues":{":a":{"S":""}}}`: 1,
		`{"RequestItems":{"t":[` + strings.Repeat("{},", 25) + `{}]}}`:                                                                                            1,
		`{"RequestItems":{"t":{"Keys":[` + strings.Repeat("{},", 100) + `{}]}}}`:                                                                                  1,
		`hello`: 1,
	} {
		if got := objections([]byte(body)); len(got) != want {
			t.Errorf("%.100s: %q", body, got)
		}
	}
}
