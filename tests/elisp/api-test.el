;;; api-test.el --- The documented API, with the fake sidecar  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Every form of the documented API as it is written there, without any
;; prompt: `inhibit-interaction' makes one an error.

;;; Code:

(require 'test-helper)
(require 'imenu)

(defconst api-test-own (concat "peer-" (make-string 52 ?a)))
(defconst api-test-other (concat "peer-" (make-string 52 ?b)))

(defmacro api-test-with-fake (&rest body)
  "Run BODY with the fake sidecar and without interaction."
  (declare (indent 0))
  `(test-helper-with-fake (let ((inhibit-interaction t)) ,@body)))

(defun api-test-ready ()
  "Wait until the sidecar is ready and the peers are known."
  (test-helper-until (and (eq (meta-log-peer-sync-rpc-state) 'ready)
                          (> (hash-table-count meta-log-federation--peers) 0))))

(ert-deftest api-test-demo ()
  (api-test-with-fake
    (let ((file (expand-file-name "a.canvasl" folder)) (start (float-time)))
      (write-region "{}" nil file nil 'silent)
      (should (meta-log-identity-p (meta-log-peer-sync-demo-init)))
      (should (eq (meta-log-peer-sync-demo-init) meta-log-peer-sync-demo--identity))
      (should (equal (meta-log-peer-sync-demo-sync-canvasl file) file))
      (should (< (- (float-time) start) 0.5))
      (should (equal (meta-log-identity-get-peer-id meta-log-peer-sync-demo--identity)
                     api-test-own))
      (should (api-test-ready))
      (should (equal (meta-log-peer-sync-demo-discover-peers) (list api-test-other)))
      (should (test-helper-said (concat "\\`Found 1 peer(s):\n  " api-test-other)))
      (should (meta-log-peer-sync-demo-connect-peer api-test-other))
      (should (test-helper-until (test-helper-logged "peers.connect")))
      (should (test-helper-until (test-helper-logged "sync.file")))
      (should (= 1 (test-helper-starts)))
      (should (member "announced" (append (plist-get (car (test-helper-log)) :start) nil)))
      (dolist (value (list meta-log-peer-sync-demo--identity
                           (gethash api-test-other meta-log-federation--peers)
                           meta-log-federation--mqtt-connection))
        (should (stringp (prin1-to-string value)))))))

(ert-deftest api-test-demo-leaves-a-stricter-policy ()
  (api-test-with-fake
    (meta-log-peer-sync-start)
    (meta-log-peer-sync-demo-init)
    (should (test-helper-until (test-helper-said "trust policy is .ask.")))
    (should (= 1 (test-helper-starts)))
    (should-not (member "--trust-policy"
                        (append (plist-get (car (test-helper-log)) :start) nil)))))

(ert-deftest api-test-errors-name-the-cure ()
  (api-test-with-fake
    (dolist (form '((meta-log-peer-sync-demo-sync-canvasl "/nonexistent/x.canvasl")
                    (meta-log-peer-sync-demo-sync-canvasl "/")
                    (meta-log-peer-sync-demo-connect-peer "peer-abc")
                    (meta-log-peer-sync-demo-sync-canvasl nil)
                    (meta-log-peer-sync-demo-sync-canvasl "/tmp/x\0y")
                    (meta-log-federation-init 5)
                    (meta-log-federation-init nil 5)
                    (meta-log-federation-init nil "nonsense")
                    (meta-log-mqtt-publish nil "a" (current-buffer))
                    (meta-log-mqtt-publish nil "a" '(1 . 2))
                    (meta-log-mqtt-publish 'no "a" "x")
                    (meta-log-mqtt-subscribe 'no "a" #'ignore)
                    (meta-log-mqtt-unsubscribe 'no "a")
                    (meta-log-identity-create-peer "nick" 6)
                    (meta-log-identity-load-peer nil)
                    (meta-log-identity-sign-message nil (current-buffer))
                    (meta-log-webrtc-send-message
                     "peer-bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb" "t"
                     (current-buffer))
                    (meta-log-mqtt-connect "http://x")
                    (meta-log-mqtt-connect "")
                    (meta-log-mqtt-publish nil "a" "x" 3)
                    (meta-log-mqtt-subscribe "a" 1)
                    (meta-log-webrtc-send-message "peer-abc" "t" "c")
                    (meta-log-identity-load-peer "/nonexistent/identity")
                    (meta-log-identity-create-peer
                     "peer-bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb")))
      (should-error (eval form t) :type 'user-error))))

(ert-deftest api-test-federation ()
  (api-test-with-fake
    (let ((board (expand-file-name "board.org" folder)))
      (should (eq t (meta-log-federation-init board "mqtt://localhost:1999")))
      (should (api-test-ready))
      (should (equal (meta-log-mqtt-connection-broker-url meta-log-federation--mqtt-connection)
                     "mqtt://localhost:1999"))
      (should (eq t (meta-log-federation-announce-peer)))
      (should (eq t (meta-log-federation-announce-peer api-test-own)))
      (should (eq t (meta-log-federation-announce-peer
                     (meta-log-identity-create-peer "nick") (concat "0x" (make-string 64 ?1)))))
      (should-error (meta-log-federation-announce-peer api-test-other) :type 'user-error)
      (should (equal (meta-log-federation-discover-peers) (list api-test-other)))
      (should (eq t (meta-log-federation-connect-to-peer api-test-other)))
      (should (meta-log-peer-sync-peer-p (gethash api-test-other meta-log-federation--peers)))
      (should (equal (meta-log-federation-sync-blackboard api-test-other) board))
      (should (test-helper-until (test-helper-logged "sync.all")))
      (should (equal (file-name-nondirectory
                      (plist-get (car (test-helper-logged "sync.file")) :path))
                     "federation-blackboard.org"))
      (with-temp-buffer
        (insert-file-contents board)
        (should (looking-at "\\* Federation Blackboard\n:PROPERTIES:\n"))
        (should (search-forward (concat "*** Peer: " api-test-other) nil t))
        (should (search-forward "*** Node: a.canvasl\n:PROPERTIES:\n:NODE_ID: a.canvasl\n"
                                nil t))))))

(ert-deftest api-test-mqtt ()
  (api-test-with-fake
    (let (got (main (meta-log-mqtt-connect "mqtt://localhost:1883")))
      (should (eq main meta-log-federation--mqtt-connection))
      (should (eq t (meta-log-mqtt-subscribe main "a/+/c" (lambda (topic message)
                                                            (push (list topic message) got)))))
      (should (eq t (meta-log-mqtt-publish main "x" "text" 0 t)))
      (should (eq t (meta-log-mqtt-publish "x" '(:a [1 :json-false]))))
      (should (eq t (meta-log-mqtt-publish main "x" '((b . "ü")))))
      (should (test-helper-until (= 3 (length (test-helper-logged "topic.publish")))))
      (pcase-let ((`(,one ,two ,three) (test-helper-logged "topic.publish")))
        (should (equal one '(:topic "x" :message "text" :qos 0 :retain t :connection 0)))
        (should (equal (plist-get two :message) "{\"a\":[1,false]}"))
        (should (equal (plist-get two :qos) 1))
        (should (equal (plist-get three :message) "{\"b\":\"ü\"}")))
      (test-helper-emit '(:event "message-received" :time "t" :topic "a/b/c" :message "hi"
                                 :connection 0 :verified :json-false)
                        '(:event "message-received" :time "t" :topic "a/b/d" :message "no"
                                 :connection 0 :verified :json-false)
                        '(:event "message-received" :time "t" :topic "a/b/c" :message "other"
                                 :connection 1 :verified :json-false))
      (should (test-helper-until got))
      (should (equal got '(("a/b/c" "hi"))))
      (let ((second (meta-log-mqtt-connect "mqtt://other:1883" "me" "u" "p")))
        (should-not (eq second main))
        (should (equal (meta-log-mqtt-connection-broker-url second) "mqtt://other:1883"))
        (should (test-helper-until (test-helper-logged "broker.open")))
        (should (equal (car (test-helper-logged "broker.open"))
                       '(:url "mqtt://other:1883" :client_id "me" :username "u"
                              :password "p")))))))

(ert-deftest api-test-topics ()
  (pcase-dolist (`(,filter ,topic ,expected)
                 '(("a" "a" t) ("a" "b" nil) ("a/+" "a/b" t) ("a/+" "a/b/c" nil)
                   ("a/#" "a" t) ("a/#" "a/b/c" t) ("#" "a/b" t) ("#" "$SYS/x" nil)
                   ("+" "a" t) ("+/b" "/b" t) ("a/+" "a" nil) ("$SYS/#" "$SYS/x" t)
                   ("$share/g/a/+" "a/b" t) ("$share/g/a" "$share/g/a" nil)))
    (should (eq expected (and (meta-log-mqtt-topic-matches-p filter topic) t)))))

(ert-deftest api-test-documented-hooks ()
  (api-test-with-fake
    (let* (received announced direct synced
           (meta-log-mqtt-message-received-hook
            (list (lambda (topic message) (push (list topic message) received))))
           (meta-log-mqtt-peer-announced-hook (list (lambda (&rest all) (push all announced))))
           (meta-log-mqtt-peer-message-hook (list (lambda (&rest all) (push all direct))))
           (meta-log-webrtc-state-synced-hook (list (lambda (&rest all) (push all synced))))
           (announce "{\"type\":\"peer-announce\",\"peer_id\":\"p\",\"public_key\":\"k\"}")
           (text "{\"type\":\"peer-message\",\"peer_id\":\"p\",\"to\":\"q\",\"content\":\"c\",\
\"signature\":\"s\"}"))
      (meta-log-peer-sync-demo-init)
      (cl-loop for (topic message verified) in
               `(("canvasl/peers/announce" ,announce t)
                 ("canvasl/peers/announce" ,announce :json-false)
                 ("canvasl/peers/q/messages" ,text t)
                 ("canvasl/peers/q/messages" ,text :json-false)
                 ("x" "not json \\u0000" t))
               do (test-helper-emit (list :event "message-received" :time "t" :topic topic
                                          :message message :connection 0
                                          :verified verified)))
      (test-helper-emit '(:event "sync-completed" :time "t" :file "f" :revision "r"
                                 :peers ["p" "q"])
                        '(:event "peer-connected" :time "t" :peer_id "z" :name nil))
      (should (test-helper-until (= (length synced) 3)))
      (should (= (length received) 5))
      (should (equal announced '(("p" "k" nil))))
      (should (equal direct '(("p" "q" "c" "s"))))
      (should (equal (reverse synced) '(("p" "f") ("q" "f") ("z" nil)))))))

(ert-deftest api-test-one-hook-for-each-event ()
  (let ((events (with-temp-buffer
                  (insert-file-contents
                   (expand-file-name "../../federation/events.py" test-helper-folder))
                  (re-search-forward "^EVENTS:.*{$")
                  (cl-loop while (re-search-forward "^    \"\\([a-z-]+\\)\": (" nil t)
                           collect (match-string 1)))))
    (goto-char (point-min))
    (should (> (length events) 10))
    (dolist (event events)
      (let ((hook (intern (format "meta-log-peer-sync-%s-functions" event))))
        (should (boundp hook))
        (should (string-match-p ":time" (documentation-property hook 'variable-documentation)))))))

(ert-deftest api-test-webrtc ()
  (api-test-with-fake
    (let ((connection (meta-log-webrtc-connect-peer api-test-other "addr"
                                                    (concat "0x" (make-string 64 ?2)))))
      (should (test-helper-until (eq (meta-log-webrtc-connection-state connection)
                                     'connected)))
      (should (equal (meta-log-webrtc-connection-route connection) "mqtt"))
      (should (eq t (meta-log-webrtc-send-message api-test-other "note" "hello")))
      (should (eq t (meta-log-webrtc-send-message connection '(:type note :content "x"))))
      (should (eq t (meta-log-webrtc-send-message connection "plain")))
      (should (test-helper-until (= 3 (length (test-helper-logged "message.send")))))
      (should (equal (mapcar (lambda (params) (list (plist-get params :kind)
                                                    (plist-get params :content)))
                             (test-helper-logged "message.send"))
                     '(("note" "hello") ("note" "x") ("message" "plain"))))
      (should (api-test-ready))
      (should-error (meta-log-webrtc-connect-peer api-test-other nil "0xbad")
                    :type 'user-error))))

(ert-deftest api-test-identity ()
  (api-test-with-fake
    (let ((identity (meta-log-identity-create-peer)))
      (should (equal (meta-log-identity-get-peer-id identity) api-test-own))
      (should (equal (meta-log-identity-get-public-key identity)
                     (concat "0x" (make-string 64 ?1))))
      (should (string-prefix-p "0x3" (meta-log-identity-sign-message identity "text")))
      (should (equal (plist-get (car (test-helper-logged "identity.sign")) :message) "text"))
      (should-not (meta-log-identity-verify-peer identity "0x" "text"))
      (should-not (meta-log-identity-verify-peer identity nil "text")))))

(ert-deftest api-test-held-documents-told-once ()
  (api-test-with-fake
    (setenv "FAKE_HELD" "3")
    (meta-log-peer-sync-start)
    (should (api-test-ready))
    (dotimes (n 3)
      (test-helper-emit (list :event "document-held" :time "t" :file "f"
                              :peer_id api-test-other :held (1+ n))))
    (should (test-helper-until (test-helper-said "held back; M-x meta-log-peer-sync-accept-peer")))
    (should (test-helper-until (equal meta-log-peer-sync-modeline " Sync:1?3")))
    (test-helper-emit (list :event "document-held" :time "t" :file "g"
                            :peer_id api-test-other :held 4))
    (should (test-helper-until (equal meta-log-peer-sync-modeline " Sync:1?4")))
    (should (= 1 (cl-count-if (lambda (text) (string-match-p "held back; M-x" text))
                              test-helper-messages)))))

(ert-deftest api-test-mode-syncs-after-save ()
  (api-test-with-fake
    (let ((file (expand-file-name "notes.txt" folder)) before)
      (write-region "one" nil file nil 'silent)
      (meta-log-peer-sync-start)
      (with-current-buffer (find-file-noselect file)
        (setq before (sort (mapcar #'car (cl-remove-if-not #'consp (buffer-local-variables)))
                           #'string<))
        (meta-log-peer-sync-mode 1)
        ;; In batch, `format-mode-line' returns nothing.
        (should (string-prefix-p " Sync" (symbol-value (cadr (assq 'meta-log-peer-sync-mode
                                                                   minor-mode-alist)))))
        (should (test-helper-until (= 1 (length (test-helper-logged "sync.file")))))
        (insert "two")
        (save-buffer)
        (should (test-helper-until (= 2 (length (test-helper-logged "sync.file")))))
        (meta-log-peer-sync-mode -1)
        (insert "three")
        (save-buffer)
        (should-not (memq 'meta-log-peer-sync--after-save after-save-hook))
        (should (= 2 (length (test-helper-logged "sync.file"))))
        (should-not (cl-set-difference
                     (mapcar #'car (cl-remove-if-not #'consp (buffer-local-variables)))
                     (append before '(after-save-hook meta-log-peer-sync-mode
                                                      buffer-file-coding-system
                                                      deactivate-mark
                                                      buffer-undo-list
                                                      local-minor-modes))))
        (kill-buffer))
      (with-temp-buffer
        (should-error (meta-log-peer-sync-mode 1) :type 'user-error)))))

(ert-deftest api-test-buffers-follow ()
  (api-test-with-fake
    (let* ((file (expand-file-name "synced/a.txt" meta-log-peer-sync-state-directory))
           (event (list :event "document-changed" :time "t" :file "a.txt" :peer_id "p"
                        :revision "r" :path file :size 1)))
      (make-directory (file-name-directory file) t)
      (write-region "one\ntwo\nthree\n" nil file nil 'silent)
      (meta-log-peer-sync-start)
      (with-current-buffer (find-file-noselect file)
        (goto-char (point-min))
        (search-forward "thr")
        (let ((inhibit-message t)) (write-region "ONE\r\n\nthree\nfour\n" nil file))
        (set-file-times file (time-add nil 5))
        (test-helper-emit event)
        (should (test-helper-until (equal (buffer-string) "ONE\r\n\nthree\nfour\n")))
        (should (looking-back "\nthr" (point-min)))
        (should-not (buffer-modified-p))
        (should (verify-visited-file-modtime))
        ;; With unsaved changes it is left alone, and told about once.
        (insert "MINE")
        (write-region "all new" nil file nil 'silent)
        (set-file-times file (time-add nil 10))
        (test-helper-emit event event)
        (should (test-helper-until (test-helper-said "your unsaved changes are still here")))
        (should (string-match-p "MINE" (buffer-string)))
        (should (= 1 (cl-count-if (lambda (text) (string-match-p "unsaved changes" text))
                                  test-helper-messages)))
        (set-buffer-modified-p nil)
        (kill-buffer)))))

(ert-deftest api-test-what-is-wrong-with-a-canvas ()
  (let* ((test-helper-messages nil)
         (warning (lambda (line more)
                    (list :problem "same-id" :line line :text "the id \"a\e\" is %s" :more more)))
         (said (lambda (quiet &rest warnings)
                 (setq test-helper-messages nil)
                 (meta-log-peer-sync-core--tell-synced
                  (list :file "a.canvasl" :state "recorded" :warnings (vconcat warnings)) quiet)
                 (car test-helper-messages))))
    (advice-add 'message :around #'test-helper--record)
    (unwind-protect
        (progn
          (test-helper-reset)
          (should-not (funcall said t))
          (should (equal (concat "meta-log-peer-sync: a.canvasl is synced as it is; "
                                 "line 3: the id \"a?\" is %s (and 2 more places)")
                         (funcall said t (funcall warning 3 2))))
          ;; Not after every save again, and not because a line came above it.
          (should-not (funcall said t (funcall warning 4 2)))
          (should (string-suffix-p "line 4: the id \"a?\" is %s (and 1 more place)"
                                   (funcall said t (funcall warning 4 1))))
          (should-not (funcall said t))
          (should (funcall said t (funcall warning 4 1)))
          (should (equal (concat "meta-log-peer-sync: a.canvasl is recorded and goes out; "
                                 "line 4: the id \"a?\" is %s")
                         (funcall said nil (funcall warning 4 0)))))
      (advice-remove 'message #'test-helper--record)
      (test-helper-reset))))

(ert-deftest api-test-lists ()
  (api-test-with-fake
    (meta-log-peer-sync-start)
    (should (api-test-ready))
    (save-window-excursion
      (with-current-buffer (meta-log-peer-sync-peers)
        (should (test-helper-until
                 (string-match-p (concat "b +connected +unknown.*" api-test-other)
                                 (buffer-string))))
        (should (eq (lookup-key (current-local-map) "g") 'revert-buffer))
        (should (eq (lookup-key (current-local-map) "q") 'quit-window))
        (should (lookup-key (current-local-map) (kbd "RET")))
        (goto-char (point-min))
        (meta-log-peer-sync-peers-describe)
        (test-helper-emit (list :event "peer-disconnected" :time "t" :peer_id api-test-other
                                :name "b"))
        (should (test-helper-until (string-match-p "offline" (buffer-string))))
        (meta-log-peer-sync-peers-accept)
        (should (test-helper-until (test-helper-logged "trust.accept")))
        (kill-buffer))
      (require 'meta-log-peer-sync-documents)
      (with-current-buffer (meta-log-peer-sync-documents)
        (should (test-helper-until (string-match-p "a\\.canvasl" (buffer-string))))
        (should (imenu--make-index-alist t))
        (goto-char (point-min))
        (should-error (meta-log-peer-sync-documents-open) :type 'user-error)
        (should (lookup-key (current-local-map) (kbd "RET")))
        (kill-buffer))
      (should-not (memq 'meta-log-peer-sync-list--on-change
                        meta-log-peer-sync-core-changed-functions)))))

(ert-deftest api-test-plain-text ()
  (should (equal (meta-log-peer-sync-core-plain "a\e[31m\u202eb\nc%s") "a?[31m?b?c%s"))
  (should (equal (meta-log-peer-sync-core-plain nil) ""))
  ;; What shows nothing, in a name that would look like another one.
  (dolist (char '(#xad #x34f #x115f #x1160 #x17b4 #x180b #x180f #x200b #x2060 #x2800 #x3164
                       #xfe00 #xfe0e #xfe0f #xffa0 #xfffc #x1d173 #xe0041 #xe0100))
    (should (equal (meta-log-peer-sync-core-plain (format "bo%cb" char)) "bo?b"))
    (should (equal (meta-log-peer-sync-core-plain (string char)) "?")))
  (should (equal (meta-log-peer-sync-core-plain "\ufe0f\ufe0fb\u3164\ufe0f") "??b??"))
  (should (equal (meta-log-peer-sync-core-plain "\u2764\ufe0f\ufe0f") "\u2764\ufe0f?"))
  (dolist (name '("\u2764\ufe0f" "\uc548\ub155" "\u5c71\u7530" "\u3000a" "Zo\u00eb" "e\u0301"))
    (should (equal (meta-log-peer-sync-core-plain name) name))))

(ert-deftest api-test-start-from-environment ()
  (let ((emacs (expand-file-name invocation-name invocation-directory)))
    (pcase-dolist (`(,value ,expected) '(("1" "(meta-log-peer-sync--start-from-environment)")
                                         ("0" "nil") (nil "nil")))
      (let ((process-environment (copy-sequence process-environment)))
        (setenv "META_LOG_ENABLE_FEDERATION" value)
        (with-temp-buffer
          (call-process emacs nil t nil "-Q" "--batch" "-L"
                        (expand-file-name "../../elisp" test-helper-folder) "--eval"
                        "(progn (setq after-init-time nil) (require 'meta-log-peer-sync) \
(princ (memq 'meta-log-peer-sync--start-from-environment emacs-startup-hook)))")
          (should (equal (string-trim (buffer-string)) expected)))))))

(provide 'api-test)
;;; api-test.el ends here
