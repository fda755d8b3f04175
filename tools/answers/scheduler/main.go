// Gives the answers of Kubernetes' own scheduler to the situations that come in as JSON.
//
// In: [{"name", "objects": [...], "pods": [...]}]: objects are there before, pods come one after another.
// Out: {name: [{"node" | "message", "nominated", "scores", "events"} of each pod]}.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"sort"
	"strings"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/profile"
)

type situation struct {
	Name    string
	Objects []json.RawMessage
	Pods    []v1.Pod
}

type answer struct {
	Node      string                    `json:"node,omitempty"`
	Message   string                    `json:"message,omitempty"`
	Nominated string                    `json:"nominated,omitempty"`
	Deleted   []string                  `json:"deleted,omitempty"`
	Events    []string                  `json:"events"`
	Scores    map[string]map[string]int `json:"scores,omitempty"`
}

type logbook struct {
	lock sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.text.Write(p)
}

func (l *logbook) take() string {
	klog.Flush()
	l.lock.Lock()
	defer l.lock.Unlock()
	text := l.text.String()
	l.text.Reset()
	return text
}

var book logbook
var scored = regexp.MustCompile(`"Plugin scored node for pod" pod="([^"]*)" plugin="([^"]*)" node="([^"]*)" score=(-?\d+)`)

func main() {
	flags := flag.NewFlagSet("", flag.ExitOnError)
	klog.InitFlags(flags)
	if err := flags.Parse([]string{"-v=10", "-logtostderr=false", "-alsologtostderr=false", "-stderrthreshold=10"}); err != nil {
		panic(err)
	}
	klog.SetOutput(&book)
	var situations []situation
	if err := json.NewDecoder(os.Stdin).Decode(&situations); err != nil {
		panic(err)
	}
	answers := map[string][]answer{}
	for _, one := range situations {
		answers[one.Name] = answerTo(one)
		fmt.Fprintln(os.Stderr, one.Name)
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(answers); err != nil {
		panic(err)
	}
}

func answerTo(one situation) []answer {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	objects := []runtime.Object{}
	for _, raw := range one.Objects {
		object, _, err := scheme.Codecs.UniversalDeserializer().Decode(raw, nil, nil)
		if err != nil {
			panic(fmt.Sprint(one.Name, err, string(raw)))
		}
		objects = append(objects, object)
	}
	client := fake.NewClientset(objects...)
	client.PrependReactor("create", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if action.GetSubresource() != "binding" {
			return false, nil, nil
		}
		binding := action.(clienttesting.CreateAction).GetObject().(*v1.Binding)
		found, err := client.Tracker().Get(action.GetResource(), binding.Namespace, binding.Name)
		if err != nil {
			return true, nil, err
		}
		pod := found.(*v1.Pod).DeepCopy()
		pod.Spec.NodeName = binding.Target.Name
		err = client.Tracker().Update(action.GetResource(), pod, binding.Namespace)
		return true, binding, err
	})
	var lock sync.Mutex
	said := []string{}
	recorders := profile.RecorderFactory(func(string) events.EventRecorderLogger {
		return recorder{func(text string) { lock.Lock(); said = append(said, text); lock.Unlock() }}
	})
	factory := scheduler.NewInformerFactory(client, 0, nil)
	sched, err := scheduler.New(ctx, client, factory, nil, recorders)
	if err != nil {
		panic(err)
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	_ = sched.WaitForHandlersSync(ctx)
	book.take()
	go sched.Run(ctx)
	found := []answer{}
	for i := range one.Pods {
		pod := &one.Pods[i]
		before := names(ctx, client)
		if _, err := client.CoreV1().Pods(pod.Namespace).Create(ctx, pod, metav1.CreateOptions{}); err != nil {
			panic(err)
		}
		result := wait(ctx, client, pod)
		time.Sleep(120 * time.Millisecond)
		after := names(ctx, client)
		for name := range before {
			if !after[name] {
				result.Deleted = append(result.Deleted, name)
			}
		}
		sort.Strings(result.Deleted)
		lock.Lock()
		result.Events = said
		said = []string{}
		lock.Unlock()
		sort.Strings(result.Events)
		result.Scores = map[string]map[string]int{}
		for _, match := range scored.FindAllStringSubmatch(book.take(), -1) {
			if match[1] == pod.Namespace+"/"+pod.Name {
				if result.Scores[match[3]] == nil {
					result.Scores[match[3]] = map[string]int{}
				}
				var points int
				fmt.Sscan(match[4], &points)
				result.Scores[match[3]][match[2]] = points
			}
		}
		found = append(found, result)
	}
	return found
}

func wait(ctx context.Context, client *fake.Clientset, pod *v1.Pod) answer {
	for n := 0; n < 300; n++ {
		time.Sleep(10 * time.Millisecond)
		now, err := client.CoreV1().Pods(pod.Namespace).Get(ctx, pod.Name, metav1.GetOptions{})
		if err != nil {
			return answer{Message: err.Error()}
		}
		if now.Spec.NodeName != "" {
			return answer{Node: now.Spec.NodeName}
		}
		for _, condition := range now.Status.Conditions {
			if condition.Type == v1.PodScheduled {
				return answer{Message: condition.Reason + ": " + condition.Message, Nominated: now.Status.NominatedNodeName}
			}
		}
	}
	return answer{Message: "no answer"}
}

func names(ctx context.Context, client *fake.Clientset) map[string]bool {
	items, err := client.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
	if err != nil {
		panic(err)
	}
	found := map[string]bool{}
	for _, item := range items.Items {
		found[item.Name] = true
	}
	return found
}

type recorder struct{ say func(string) }

func (r recorder) Eventf(regarding, related runtime.Object, kind, reason, action, note string, args ...interface{}) {
	name := ""
	if pod, ok := regarding.(*v1.Pod); ok {
		name = pod.Name
	}
	r.say(strings.Join([]string{name, kind, reason, action, fmt.Sprintf(note, args...)}, "|"))
}

func (r recorder) WithLogger(klog.Logger) events.EventRecorderLogger { return r }
