// Command controlplane runs a real Kubernetes API on loopback, for the end-to-end tests.
//
//	controlplane up --dir DIR [--controllers] [-- KUBE-APISERVER-FLAG...]
//	controlplane kubectl ARG...
//
// "up" holds etcd itself and starts kube-apiserver (and kube-controller-manager) as children of the same binary:
// Kubernetes components keep process-wide state (feature gates, klog, metrics), so two of them cannot share a process.
// It prints one line, "ready KUBECONFIG=PATH", and then lives until SIGTERM or SIGINT, until its standard
// input closes (when that is a pipe or a socket), until --max-life has passed, or until a child ends.
// Each child in turn ends when the pipe from its parent closes, so even a SIGKILL of "up" leaves nothing.
//
// It deliberately is no cluster: no scheduler, no nodes, no container runtime, no Service network, no DNS.
// Standing up again on the same DIR finds the same objects and keys.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/embed"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

const usage = `usage:
  controlplane up --dir DIR [--controllers] [--port P] [--max-life D] [-- KUBE-APISERVER-FLAG...]
  controlplane kubectl ARG...
  controlplane kube-apiserver|kube-controller-manager FLAG...
`

const loopback = "127.0.0.1"

func main() {
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	name, args := os.Args[1], os.Args[2:]
	var err error
	switch name {
	case "up":
		err = up(args)
	case "kubectl":
		runKubectl()
	case "kube-apiserver":
		os.Exit(runComponent(apiserver.NewAPIServerCommand))
	case "kube-controller-manager":
		os.Exit(runComponent(controllermanager.NewControllerManagerCommand))
	default:
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "controlplane "+name+":", err)
		os.Exit(1)
	}
}

// ---- the plane ----

// plane is one control plane under one folder.
type plane struct {
	dir    string
	client kubernetes.Interface
	died   chan error // the first unexpected end of a child
}

func up(args []string) error {
	flags := flag.NewFlagSet("up", flag.ExitOnError)
	dir := flags.String("dir", "", "folder for keys, data, logs and the kubeconfig; made if missing")
	controllers := flags.Bool("controllers", false, "also run kube-controller-manager")
	port := flags.Int("port", 0, "port of the API server; 0 takes a free one")
	maxLife := flags.Duration("max-life", 3*time.Hour, "end after this long, whatever happens")
	readyIn := flags.Duration("ready-in", 2*time.Minute, "give up when not ready after this long")
	flags.Parse(args)
	if *dir == "" {
		return errors.New("--dir is needed")
	}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *maxLife)
	defer cancel() // kills the children
	onStdinClosed(cancel)

	abs, err := filepath.Abs(*dir)
	if err != nil {
		return err
	}
	p := &plane{dir: abs, died: make(chan error, 8)}
	etcd, err := p.startEtcd()
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	defer etcd.Close()
	if err := p.startAPIServer(ctx, "http://"+etcd.Clients[0].Addr().String(), *port, *controllers, flags.Args()); err != nil {
		return err
	}
	startup, startupDone := context.WithTimeout(ctx, *readyIn)
	defer startupDone()
	if err := p.waitForAPIServer(startup); err != nil {
		return err
	}
	if *controllers {
		if err := p.startControllers(ctx, startup); err != nil {
			return err
		}
	}
	fmt.Println("ready KUBECONFIG=" + p.path("kubeconfig"))

	select {
	case <-ctx.Done():
		return nil
	case err := <-p.died:
		return err
	}
}

// onStdinClosed calls end when standard input reaches its end, if it is one that a parent can close:
// /dev/null, a file or a terminal says nothing about the parent's life.
func onStdinClosed(end func()) {
	info, err := os.Stdin.Stat()
	if err != nil || info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket) == 0 {
		return
	}
	go func() {
		io.Copy(io.Discard, os.Stdin)
		end()
	}()
}

func (p *plane) path(elem ...string) string {
	return filepath.Join(append([]string{p.dir}, elem...)...)
}

func (p *plane) pki(name string) string { return p.path("pki", name) }

// startEtcd runs etcd in this process, without fsync: the data need not outlive the machine.
func (p *plane) startEtcd() (*embed.Etcd, error) {
	if err := os.MkdirAll(p.path("logs"), 0o700); err != nil {
		return nil, err
	}
	anyPort := []url.URL{{Scheme: "http", Host: loopback + ":0"}}
	cfg := embed.NewConfig()
	cfg.Dir = p.path("etcd")
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = anyPort, anyPort
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = anyPort, anyPort
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	cfg.EnableGRPCGateway = false
	cfg.UnsafeNoFsync = true
	cfg.LogLevel = "warn"
	cfg.LogOutputs = []string{p.path("logs", "etcd.log")}
	etcd, err := embed.StartEtcd(cfg)
	if err != nil {
		return nil, err
	}
	select {
	case <-etcd.Server.ReadyNotify():
		return etcd, nil
	case err := <-etcd.Err():
		return nil, err
	case <-time.After(time.Minute):
		etcd.Close()
		return nil, errors.New("not ready after a minute (is another plane using the folder?)")
	}
}

// startAPIServer writes the keys and the kubeconfig, then starts kube-apiserver, with the caller's extra flags last.
func (p *plane) startAPIServer(ctx context.Context, etcd string, port int, controllers bool, extra []string) error {
	if port == 0 {
		var err error
		if port, err = freePort(); err != nil {
			return err
		}
	}
	if err := p.writeKeys(); err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	token, err := p.adminToken()
	if err != nil {
		return fmt.Errorf("admin token: %w", err)
	}
	server := fmt.Sprintf("https://%s:%d", loopback, port)
	if err := p.writeKubeconfig("kubeconfig", server, "admin", &clientcmdapi.AuthInfo{Token: token}); err != nil {
		return fmt.Errorf("kubeconfig: %w", err)
	}
	rest, err := clientcmd.BuildConfigFromFlags("", p.path("kubeconfig"))
	if err != nil {
		return err
	}
	if p.client, err = kubernetes.NewForConfig(rest); err != nil {
		return err
	}

	flags := []string{
		"--etcd-servers=" + etcd,
		"--bind-address=" + loopback, "--advertise-address=" + loopback, "--secure-port=" + strconv.Itoa(port),
		"--tls-cert-file=" + p.pki("apiserver.crt"), "--tls-private-key-file=" + p.pki("apiserver.key"),
		"--client-ca-file=" + p.pki("ca.crt"), "--token-auth-file=" + p.pki("tokens.csv"), "--authorization-mode=RBAC",
		"--service-account-key-file=" + p.pki("service-account.pub"), "--service-account-signing-key-file=" + p.pki("service-account.key"),
		"--service-account-issuer=https://kubernetes.default.svc", "--service-cluster-ip-range=10.96.0.0/16",
		"--endpoint-reconciler-type=none", "--profiling=false",
	}
	if !controllers {
		// Nobody makes the "default" service accounts, so nobody may insist on one.
		flags = append(flags, "--disable-admission-plugins=ServiceAccount")
	}
	return p.child(ctx, "kube-apiserver", append(flags, extra...)...)
}

func (p *plane) waitForAPIServer(ctx context.Context) error {
	return p.until(ctx, "the API server to be ready", func(ctx context.Context) bool {
		if _, err := p.client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx); err != nil {
			return false
		}
		_, err := p.client.CoreV1().Namespaces().Get(ctx, "default", metav1.GetOptions{})
		return err == nil
	})
}

// startControllers starts kube-controller-manager and returns once its first visible work is done.
// It comes after the API server is ready, for which it would itself wait no more than ten seconds.
func (p *plane) startControllers(ctx, startup context.Context) error {
	if err := p.child(ctx, "kube-controller-manager",
		"--kubeconfig="+p.path("kubeconfig"), "--leader-elect=false", "--secure-port=0", "--profiling=false",
		"--service-account-private-key-file="+p.pki("service-account.key"), "--root-ca-file="+p.pki("ca.crt"),
		"--cluster-signing-cert-file="+p.pki("ca.crt"), "--cluster-signing-key-file="+p.pki("ca.key"),
		"--horizontal-pod-autoscaler-sync-period=2s"); err != nil {
		return err
	}
	return p.until(startup, "the controllers to work", func(ctx context.Context) bool {
		_, err := p.client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
		return err == nil
	})
}

// until polls done, and gives up when ctx ends or a child does.
func (p *plane) until(ctx context.Context, what string, done func(context.Context) bool) error {
	err := wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		select {
		case err := <-p.died:
			return false, err
		default:
			return done(ctx), nil
		}
	})
	if err != nil {
		return fmt.Errorf("waiting for %s: %w", what, err)
	}
	return nil
}

// child starts this binary again as one component. Its output goes to logs/NAME.log, its process id to
// NAME.pid, and it is killed when ctx ends: all state that matters is in etcd.
func (p *plane) child(ctx context.Context, name string, args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	logPath := p.path("logs", name+".log")
	log, err := os.Create(logPath)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, self, append([]string{name}, args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	if _, err := cmd.StdinPipe(); err != nil { // never written to: it closes when this process ends
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	go func() {
		err := cmd.Wait()
		p.died <- fmt.Errorf("%s ended (%v), see %s", name, err, logPath)
	}()
	return os.WriteFile(p.path(name+".pid"), []byte(strconv.Itoa(cmd.Process.Pid)), 0o600)
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", loopback+":0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// ---- keys ----

// writeKeys makes pki/: a CA, the certificates it signs, and the service accounts' key; what is there stays.
func (p *plane) writeKeys() error {
	if err := os.MkdirAll(p.path("pki"), 0o700); err != nil {
		return err
	}
	if _, err := os.Stat(p.pki("service-account.key")); err == nil {
		return nil
	}
	ca := &x509.Certificate{
		Subject: pkix.Name{CommonName: "controlplane-ca"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	server := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "kube-apiserver"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"},
		IPAddresses: []net.IP{net.ParseIP(loopback), net.ParseIP("10.96.0.1")},
	}
	for _, c := range []struct {
		name     string
		template *x509.Certificate
	}{{"ca", ca}, {"apiserver", server}} {
		cert, key, err := p.sign(c.template)
		if err != nil {
			return err
		}
		if err := os.WriteFile(p.pki(c.name+".crt"), cert, 0o600); err != nil {
			return err
		}
		if err := os.WriteFile(p.pki(c.name+".key"), key, 0o600); err != nil {
			return err
		}
	}
	key, keyPEM, err := newKey()
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return err
	}
	if err := os.WriteFile(p.pki("service-account.pub"), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), 0o600); err != nil {
		return err
	}
	return os.WriteFile(p.pki("service-account.key"), keyPEM, 0o600)
}

// sign completes a template with a fresh key, signed by pki/ca, or by itself if it is a CA. Both in PEM.
func (p *plane) sign(template *x509.Certificate) (cert, keyPEM []byte, err error) {
	key, keyPEM, err := newKey()
	if err != nil {
		return nil, nil, err
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62)); err != nil {
		return nil, nil, err
	}
	template.KeyUsage |= x509.KeyUsageDigitalSignature
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = time.Now().AddDate(10, 0, 0)

	issuer, issuerKey := template, key
	if !template.IsCA {
		if issuer, issuerKey, err = p.readCA(); err != nil {
			return nil, nil, err
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, &key.PublicKey, issuerKey)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), keyPEM, nil
}

func (p *plane) readCA() (*x509.Certificate, *ecdsa.PrivateKey, error) {
	var der [2][]byte
	for i, name := range []string{"ca.crt", "ca.key"} {
		text, err := os.ReadFile(p.pki(name))
		if err != nil {
			return nil, nil, err
		}
		block, _ := pem.Decode(text)
		if block == nil {
			return nil, nil, fmt.Errorf("%s holds no PEM", name)
		}
		der[i] = block.Bytes
	}
	cert, err := x509.ParseCertificate(der[0])
	if err != nil {
		return nil, nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der[1])
	if err != nil {
		return nil, nil, err
	}
	return cert, key.(*ecdsa.PrivateKey), nil
}

func newKey() (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	return key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// adminToken returns the token of the first line of pki/tokens.csv, writing that file if it is missing.
// A test may add lines (TOKEN,USER,UID,"GROUP,GROUP") before "up": the API server reads it only once.
func (p *plane) adminToken() (string, error) {
	path := p.pki("tokens.csv")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		random := make([]byte, 16)
		rand.Read(random)
		text = []byte(hex.EncodeToString(random) + `,admin,admin,"system:masters"` + "\n")
		err = os.WriteFile(path, text, 0o600)
	}
	token, _, _ := strings.Cut(string(text), ",")
	return token, err
}

// writeKubeconfig writes a kubeconfig that carries its keys and CA in itself.
func (p *plane) writeKubeconfig(file, server, name string, auth *clientcmdapi.AuthInfo) error {
	ca, err := os.ReadFile(p.pki("ca.crt"))
	if err != nil {
		return err
	}
	return clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"controlplane": {Server: server, CertificateAuthorityData: ca}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{name: auth},
		Contexts:       map[string]*clientcmdapi.Context{"controlplane": {Cluster: "controlplane", AuthInfo: name, Namespace: "default"}},
		CurrentContext: "controlplane",
	}, p.path(file))
}

// ---- the components ----

// asProgram drops our own name, so that a component finds os.Args as if it were a program of its own.
func asProgram() { os.Args = os.Args[1:] }

func runKubectl() {
	asProgram()
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err) // prints it and exits, with kubectl's own codes
	}
}

func runComponent(command func() *cobra.Command) int {
	asProgram()
	onStdinClosed(func() { os.Exit(0) })
	return cli.Run(command())
}
