;;; rpc-test.el --- The life of the sidecar  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Starting, queueing, losing and ending the sidecar, with the fake one.

;;; Code:

(require 'test-helper)

(ert-deftest rpc-test-queues-until-ready ()
  (test-helper-with-fake
    (let ((file (expand-file-name "a.canvasl" folder)) answers)
      (write-region "x" nil file nil 'silent)
      (let ((start (float-time)))
        (meta-log-peer-sync-core-start)
        (dotimes (_ 200)
          (meta-log-peer-sync-core-sync-file file (lambda (answer) (push answer answers))))
        (should (< (- (float-time) start) 1.0)))
      (should-not answers)
      (should (test-helper-until (= (length answers) 200)))
      (should (equal (plist-get (car answers) :file) "a.canvasl"))
      (should (= (length (test-helper-logged "sync.file")) 200)))))

(ert-deftest rpc-test-arguments-and-secrets ()
  (test-helper-with-fake
    (meta-log-peer-sync-core-start :policy "announced" :broker-url "mqtt://h:1"
                                   :username "u" :password "canary")
    (should (test-helper-until (eq (meta-log-peer-sync-rpc-state) 'ready)))
    (let ((start (car (test-helper-log))))
      (should (equal (plist-get start :start)
                     (vector "serve" "--stdio" "--json" "--state-dir"
                             meta-log-peer-sync-state-directory
                             "--trust-policy" "announced" "--broker-url" "mqtt://h:1"
                             "--broker-username" "u")))
      (should (eq t (plist-get start :password))))
    (should (= #o700 (file-modes meta-log-peer-sync-state-directory)))))

(ert-deftest rpc-test-restarts-and-repeats ()
  (test-helper-with-fake
    (let ((file (expand-file-name "crash.canvasl" folder)) answers (start (float-time)))
      (write-region "x" nil file nil 'silent)
      (meta-log-peer-sync-core-start)
      (should (test-helper-until (eq (meta-log-peer-sync-rpc-state) 'ready)))
      (meta-log-peer-sync-core-sync-file file (lambda (answer) (push answer answers)))
      (should (test-helper-until answers))
      (should (= (length (test-helper-logged "sync.file")) 2))
      (should (= (test-helper-starts) 2))
      (should (< (- (float-time) start) 5)))))

(ert-deftest rpc-test-killed-sidecar-comes-back ()
  (test-helper-with-fake
    (meta-log-peer-sync-core-start)
    (dotimes (_ 5)
      (should (test-helper-until (eq (meta-log-peer-sync-rpc-state) 'ready)))
      (let ((pid (process-id meta-log-peer-sync-rpc--process)))
        (signal-process pid 'KILL)
        (should (test-helper-until
                 (and meta-log-peer-sync-rpc--process
                      (/= pid (process-id meta-log-peer-sync-rpc--process)))))))
    (should (test-helper-until (eq (meta-log-peer-sync-rpc-state) 'ready)))))

(ert-deftest rpc-test-does-not-repeat-a-message ()
  (test-helper-with-fake
    (let (problem)
      (meta-log-peer-sync-core-start)
      (meta-log-peer-sync-core-request
       "topic.publish" '(:topic "test/crash" :message "x") #'ignore
       (lambda (value) (setq problem value)))
      (should (test-helper-until problem))
      (should (equal (plist-get (plist-get problem :data) :reason) "sidecar-lost"))
      (should (test-helper-until (and (eq (meta-log-peer-sync-rpc-state) 'ready)
                                      (= (test-helper-starts) 2))))
      (should (= 1 (length (test-helper-logged "topic.publish")))))))

(ert-deftest rpc-test-gives-up-and-says-why ()
  (test-helper-with-fake
    (setenv "FAKE_MODE" "broken")
    (let (problem)
      (meta-log-peer-sync-core-start)
      (meta-log-peer-sync-core-request "peers.list" nil #'ignore
                                       (lambda (value) (setq problem value)))
      (should (test-helper-until (eq (meta-log-peer-sync-rpc-state) 'failed)))
      (should (= (test-helper-starts) meta-log-peer-sync-rpc-attempts))
      (should (string-match-p "the state is damaged" (plist-get problem :message)))
      (should (test-helper-said "does not start: fake sidecar: the state is damaged"))
      (should (equal meta-log-peer-sync-modeline " Sync:!"))
      ;; The next start tries again, and works once the cause is gone.
      (setenv "FAKE_MODE" nil)
      (meta-log-peer-sync-start)
      (should (test-helper-until (eq (meta-log-peer-sync-rpc-state) 'ready))))))

(ert-deftest rpc-test-missing-program ()
  (test-helper-with-fake
    (let ((meta-log-peer-sync-rpc-program "/nonexistent/program"))
      (should-error (meta-log-peer-sync-start) :type 'user-error)
      (should-not (meta-log-peer-sync-rpc-running-p)))))

(ert-deftest rpc-test-finds-own-package ()
  (let* ((root (make-temp-file "mlps-root" t))
         (federation (expand-file-name "federation" root)))
    (unwind-protect
        (progn
          (make-directory (expand-file-name "elisp" federation) t)
          (write-region "" nil (expand-file-name "__main__.py" federation) nil 'silent)
          ;; In a wheel the elisp folder is inside the package, in the
          ;; repository beside it.
          (dolist (place (list (expand-file-name "federation/elisp/" root)
                               (expand-file-name "elisp/" root)))
            (let ((meta-log-peer-sync-rpc--directory place)
                  (meta-log-peer-sync-rpc-program nil)
                  (exec-path (list (file-name-directory (executable-find "python3")))))
              (unless (executable-find "meta-log-peer-sync")
                (pcase-let ((`(,command . ,found) (meta-log-peer-sync-rpc-command)))
                  (should (equal (cdr command) '("-m" "federation")))
                  (should (equal (file-name-as-directory root) found)))))))
      (delete-directory root t))))

(ert-deftest rpc-test-wait-has-a-deadline ()
  (test-helper-with-fake
    (setenv "FAKE_MODE" "silent")
    (meta-log-peer-sync-core-start)
    (let ((start (float-time)))
      (should-error (meta-log-peer-sync-rpc-wait "identity.show" nil 0.5) :type 'user-error)
      (should (< (- (float-time) start) 3)))
    (should-not meta-log-peer-sync-rpc--queue)))

(ert-deftest rpc-test-wait-inside-a-hook ()
  (test-helper-with-fake
    (let (signature)
      (meta-log-peer-sync-core-start)
      (let ((meta-log-peer-sync-peer-connected-functions
             (list (lambda (_event)
                     (setq signature (meta-log-identity-sign-message nil "x"))))))
        (test-helper-emit '(:event "peer-connected" :time "t" :peer_id "p"))
        (should (test-helper-until signature))
        (should (string-prefix-p "0x3" signature))))))

(ert-deftest rpc-test-errors-are-contained ()
  (test-helper-with-fake
    ;; ERT turns this on, and jsonrpc then lets a damaged frame through.
    (let ((calls 0) (debug-on-error nil))
      (meta-log-peer-sync-core-start)
      (let ((meta-log-peer-sync-broker-lost-functions
             (list (lambda (_event) (error "Boom"))
                   (lambda (_event) (signal 'quit nil))
                   (lambda (_event) (cl-incf calls)))))
        (dotimes (_ 3) (test-helper-emit '(:event "broker-lost" :time "t" :broker "u")))
        (should (test-helper-until (= calls 3)))
        (should (= 1 (cl-count-if (lambda (text) (string-match-p "Boom" text))
                                  test-helper-messages)))
        ;; A damaged frame neither ends the connection nor the next answer.
        (meta-log-mqtt-publish "test/garbage" "x")
        (test-helper-emit '(:event "broker-lost" :time "t" :broker "u"))
        (should (test-helper-until (= calls 4)))
        (should (= (test-helper-starts) 1))))))

(ert-deftest rpc-test-unsendable-text ()
  (test-helper-with-fake
    (meta-log-peer-sync-core-start)
    (should-error (meta-log-mqtt-publish "a" (string-to-multibyte "\377")) :type 'user-error)
    (should-error (meta-log-mqtt-publish "a/#" "x") :type 'user-error)))

(ert-deftest rpc-test-stop-leaves-no-process ()
  (test-helper-with-fake
    (meta-log-peer-sync-core-start)
    (should (test-helper-until (eq (meta-log-peer-sync-rpc-state) 'ready)))
    (let ((pid (process-id meta-log-peer-sync-rpc--process)))
      (meta-log-peer-sync-stop)
      (should (test-helper-until (not (process-attributes pid)) 3))
      (should (plist-get (car (last (test-helper-log))) :end))
      (should-error (meta-log-peer-sync-rpc-request "status" nil) :type 'user-error)
      (should (test-helper-until
               (not (cl-find-if (lambda (process)
                                  (string-prefix-p "meta-log" (process-name process)))
                                (process-list))))))))

(ert-deftest rpc-test-stop-while-starting ()
  (test-helper-with-fake
    (dotimes (n 3)
      (let ((meta-log-peer-sync-state-directory (expand-file-name (format "s%d" n) folder)))
        (meta-log-peer-sync-start)
        (meta-log-peer-sync-stop)
        (should (eq (meta-log-peer-sync-rpc-state) 'stopped))))
    (let ((meta-log-peer-sync-state-directory (expand-file-name "last" folder)))
      (meta-log-peer-sync-start)
      (should (test-helper-until (eq (meta-log-peer-sync-rpc-state) 'ready)))
      (should (equal (plist-get (meta-log-peer-sync-rpc-status) :state_dir)
                     meta-log-peer-sync-state-directory)))))

;; The process is gone, and its sentinel runs only when the next one is there.
(ert-deftest rpc-test-late-sentinel-ends-no-other ()
  (test-helper-with-fake
    (meta-log-peer-sync-core-start)
    (should (test-helper-until (eq (meta-log-peer-sync-rpc-state) 'ready)))
    (let ((process meta-log-peer-sync-rpc--process))
      (meta-log-peer-sync-stop)
      (let ((end (+ (float-time) 20)))
        (while (and (process-live-p process) (< (float-time) end))
          (call-process "sleep" nil nil nil "0.01")))
      (should-not (process-live-p process))
      (meta-log-peer-sync-core-start)
      (should-not (eq process meta-log-peer-sync-rpc--process))
      (let ((next meta-log-peer-sync-rpc--process))
        (should (test-helper-until (eq (meta-log-peer-sync-rpc-state) 'ready)))
        (should (eq next meta-log-peer-sync-rpc--process))
        (should (= 2 (test-helper-starts)))))))

(ert-deftest rpc-test-restart-keeps-requests ()
  (test-helper-with-fake
    (let (done)
      (meta-log-peer-sync-core-start)
      (meta-log-peer-sync-core-request "peers.list" nil (lambda (_) (setq done t)))
      (meta-log-peer-sync-core-start :broker-url "mqtt://other:1883")
      (should (test-helper-until done))
      (should (equal (meta-log-peer-sync-core-broker-url) "mqtt://other:1883")))))

(ert-deftest rpc-test-killed-emacs-leaves-no-child ()
  (test-helper-with-fake
    (let* ((emacs (expand-file-name invocation-name invocation-directory))
           (pid-file (expand-file-name "pid" folder))
           (form `(progn
                    (add-to-list 'load-path ,(expand-file-name "../../elisp" test-helper-folder))
                    (require 'meta-log-peer-sync)
                    (setq meta-log-peer-sync-rpc-program ',meta-log-peer-sync-rpc-program
                          meta-log-peer-sync-state-directory
                          ,meta-log-peer-sync-state-directory)
                    (meta-log-peer-sync-start)
                    (while (not (eq (meta-log-peer-sync-rpc-state) 'ready))
                      (accept-process-output nil 0.01))
                    (write-region (number-to-string
                                   (process-id meta-log-peer-sync-rpc--process))
                                  nil ,pid-file nil 'silent))))
      (should (= 0 (call-process emacs nil nil nil "-Q" "--batch" "--eval"
                                 (prin1-to-string form))))
      (let ((pid (string-to-number (with-temp-buffer (insert-file-contents pid-file)
                                                     (buffer-string)))))
        (should (> pid 0))
        (should (test-helper-until (not (process-attributes pid)) 3))))))

(ert-deftest rpc-test-does-not-block ()
  (test-helper-with-fake
    (meta-log-peer-sync-core-start)
    (should (test-helper-until (eq (meta-log-peer-sync-rpc-state) 'ready)))
    (let* ((count 0) (last (float-time)) (worst 1.0) (tries 0)
           (meta-log-peer-sync-sync-started-functions (list (lambda (_) (cl-incf count))))
           (timer (run-at-time 0 0.01 (lambda ()
                                        (setq worst (max worst (- (float-time) last))
                                              last (float-time)))))
           (batch (make-list 100 '(:event "sync-started" :time "t" :file "f" :revision "r"))))
      (unwind-protect
          ;; A machine that does something else meanwhile is asked again.
          (while (and (>= worst 0.1) (< (cl-incf tries) 6))
            (setq count 0)
            (dotimes (_ 100) (apply #'test-helper-emit batch))
            (setq last (float-time) worst 0.0)
            (should (test-helper-until (= count 10000))))
        (cancel-timer timer))
      (should (< tries 6)))))

(provide 'rpc-test)
;;; rpc-test.el ends here
