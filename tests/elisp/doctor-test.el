;;; doctor-test.el --- What is broken is named, and the sidecar's version is checked  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; The doctor without a sidecar, with one of another version, and with the
;; real one; the start with one of another version; the plans of installing.

;;; Code:

(require 'imenu)
(require 'test-helper)
(require 'meta-log-peer-sync-doctor)
(require 'meta-log-peer-sync-install)

(defun doctor-test-look ()
  "Look, and return what was found, as (NAME . CASE)."
  (with-current-buffer (meta-log-peer-sync-doctor)
    (should (test-helper-until (consp meta-log-peer-sync-doctor-report) 60))
    (mapcar (lambda (check) (cons (plist-get check :name) (plist-get check :case)))
            meta-log-peer-sync-doctor-report)))

(defmacro doctor-test-showing (&rest body)
  "Run BODY in the buffer of the doctor, and kill it."
  `(with-current-buffer "*meta-log-peer-sync doctor*"
     (unwind-protect (progn ,@body) (kill-buffer))))

(ert-deftest doctor-test-what-is-well-needs-no-cure ()
  (with-temp-buffer
    (dolist (state '("ok" "warning"))
      (meta-log-peer-sync-doctor--insert
       (list :name "instance" :state state :found "process 7" :case "instance-other"
             :cause "it runs" :cure "use it")))
    (should (equal (buffer-string)
                   (concat "ok      instance  process 7\nWARNING instance  process 7\n"
                           (make-string 18 ?\s) "why:  it runs\n"
                           (make-string 18 ?\s) "cure: use it\n")))))

(ert-deftest doctor-test-no-sidecar ()
  (test-helper-call
   (lambda (folder)
     (let ((meta-log-peer-sync-rpc-program (expand-file-name "none" folder)))
       (should (equal (cdr (doctor-test-look)) '(("sidecar" . "no-sidecar"))))
       (doctor-test-showing
        (should (string-match-p "^ERROR +sidecar +No program .*none" (buffer-string)))
        (goto-char (point-min))
        (should (search-forward "M-x meta-log-peer-sync-install-sidecar"))
        (should (button-at (match-beginning 0))))
       (should-error (meta-log-peer-sync-start) :type 'user-error)))))

(ert-deftest doctor-test-wrong-version ()
  (test-helper-with-fake
    (setenv "FAKE_VERSION" "9.8.7")
    (meta-log-peer-sync-start)
    (should (test-helper-until (eq (meta-log-peer-sync-rpc-state) 'failed)))
    (should (string-match-p "version 9\\.8\\.7, this package .*upgrade-sidecar"
                            (meta-log-peer-sync-status)))
    (let ((problem (should-error (meta-log-peer-sync-rpc-request "status" nil)
                                 :type 'user-error)))
      (should (string-match-p "upgrade-sidecar" (error-message-string problem))))
    ;; The stand-in knows no verb but `serve', as a sidecar too old for the doctor.
    (setenv "FAKE_MODE" "broken")
    (should (equal (cdr (doctor-test-look)) '(("sidecar" . "wrong-version"))))
    (doctor-test-showing
     (should (string-match-p "^ERROR +emacs " (buffer-string)))
     (should (string-match-p "does not know the verb doctor" (buffer-string))))
    (setenv "FAKE_VERSION" "0.1.99")
    (setenv "FAKE_MODE" nil)
    (meta-log-peer-sync-start)
    (should (test-helper-until (eq (meta-log-peer-sync-rpc-state) 'ready)))))

(ert-deftest doctor-test-a-source-without-what-it-needs ()
  "From a clone, say, whose Python has nothing of what the sidecar imports."
  (test-helper-with-fake
    (setenv "FAKE_MODE" "lacking")
    (meta-log-peer-sync-start)
    (should (test-helper-until (eq (meta-log-peer-sync-rpc-state) 'failed)))
    (should (= 1 (test-helper-starts)))
    (should (string-match-p "no package msgspec; M-x meta-log-peer-sync-install-sidecar"
                            (meta-log-peer-sync-status)))
    (should (equal (cdr (doctor-test-look)) '(("sidecar" . "no-sidecar"))))
    (doctor-test-showing
     (should (string-match-p "no package msgspec" (buffer-string))))))

(ert-deftest doctor-test-real ()
  (test-helper-with-real
    (ignore folder synced)
    (let ((found (doctor-test-look)))
      (should (equal (cdr (assoc "broker" found)) "broker-unreachable"))
      (should (equal (cdr (assoc "sidecar" found)) ""))
      (should (equal (cdr (assoc "instance" found)) ""))
      (should-not (file-exists-p meta-log-peer-sync-state-directory)))
    (meta-log-peer-sync-start)
    (should (test-helper-until (eq (meta-log-peer-sync-rpc-state) 'ready)))
    (should (equal (cdr (assoc "instance" (doctor-test-look))) "instance-other"))
    (doctor-test-showing
     (should (eq (lookup-key (current-local-map) "g") #'revert-buffer))
     (should (string-match-p "^1 error, " (buffer-string)))
     (should (string-match-p "the peer of this Emacs is ready" (buffer-string)))
     (should (assoc "broker" (funcall imenu-create-index-function)))
     (revert-buffer)
     (should (test-helper-until (consp meta-log-peer-sync-doctor-report) 60)))))

(ert-deftest doctor-test-a-refused-password-is-said ()
  "A broker that refuses shows in the status, the mode line's help and a message."
  (test-helper-with-fake
    (setenv "FAKE_MODE" "nobroker")
    (meta-log-peer-sync-start)
    (should (test-helper-until (test-helper-said "no broker at .*: refused: bad user name")))
    (should (string-match-p "refused: bad user name" (meta-log-peer-sync-status)))
    (should (string-match-p
             "refused: bad user name.*M-x meta-log-peer-sync-doctor"
             (get-text-property 0 'help-echo meta-log-peer-sync-modeline)))
    (should (string-match-p "!" meta-log-peer-sync-modeline))))

;;;; Installing

(ert-deftest doctor-test-install-plans ()
  (let ((plan (meta-log-peer-sync-install--plan 'uv "x y" "/d/")))
    (should (string-prefix-p "PATH=/d/bin:" (caar plan)))
    (should (equal (cdar plan) '("UV_TOOL_DIR=/d/tools" "UV_TOOL_BIN_DIR=/d/bin")))
    (should (equal (cdr plan) '(("uv" "tool" "install" "--force" "--reinstall" "x y")))))
  (let ((plan (meta-log-peer-sync-install--plan 'pipx "x" "/d/")))
    (should (equal (cdar plan) '("PIPX_HOME=/d/pipx" "PIPX_BIN_DIR=/d/bin" "PIPX_MAN_DIR=/d/man")))
    (should (equal (cdr plan) '(("pipx" "install" "--force" "x")))))
  (let ((plan (meta-log-peer-sync-install--plan 'venv "x" "/d/")))
    (should-not (car plan))
    (should (equal (nthcdr 1 (nth 2 plan)) '("-I" "-m" "venv" "/d/venv")))
    (should (member "x" (car (last plan))))))

(ert-deftest doctor-test-install-sources ()
  (let ((meta-log-peer-sync-install-source "thing==1"))
    (should (equal (meta-log-peer-sync-install-source) "thing==1")))
  ;; These tests run from the source.
  (should (file-exists-p (expand-file-name "pyproject.toml" (meta-log-peer-sync-install-source))))
  (let ((meta-log-peer-sync-rpc--directory "/nonexistent/elisp/"))
    ;; A name that anybody may publish under is not what belongs to this package.
    (should-error (meta-log-peer-sync-install-source) :type 'user-error)))

(ert-deftest doctor-test-what-others-installed-is-upgraded-by-their-tool ()
  (let ((plan (lambda (file)
                (cadr (meta-log-peer-sync-install--plan-of file "s")))))
    (should (equal (car (funcall plan "/h/.local/share/uv/tools/m/bin/m")) "uv"))
    (should (equal (car (funcall plan "/h/.local/pipx/venvs/m/bin/m")) "pipx"))
    (should-error (funcall plan "/nonexistent/m") :type 'user-error)))

(defmacro doctor-test-with-own-program (&rest body)
  "Run BODY in an Emacs folder of its own, `folder', with a sidecar that Emacs installed."
  `(test-helper-call
    (lambda (folder)
      (let* ((user-emacs-directory folder)
             (exec-path nil)
             (meta-log-peer-sync-state-directory nil)
             (program (expand-file-name "meta-log-sidecar/venv/bin/meta-log-peer-sync" folder)))
        (make-directory (file-name-directory program) t)
        (write-region "#!/bin/sh\n" nil program nil 'silent)
        (set-file-modes program #o755)
        ,@body))))

(ert-deftest doctor-test-the-order-in-which-the-sidecar-is-found ()
  (doctor-test-with-own-program
   (should (equal (meta-log-peer-sync-rpc-command) (list (list program))))
   (let* ((other (expand-file-name "bin/meta-log-peer-sync" folder))
          (exec-path (list (file-name-directory other))))
     (make-directory (file-name-directory other))
     (copy-file program other)
     (should (equal (meta-log-peer-sync-rpc-command) (list (list other))))
     ;; What others installed is not doubled.
     (should-error (meta-log-peer-sync-install-sidecar) :type 'user-error)
     (let ((meta-log-peer-sync-rpc-program program))
       (should (equal (meta-log-peer-sync-rpc-command) (list (list program))))))))

(ert-deftest doctor-test-removing-asks-about-the-identity ()
  (dolist (yes '(nil t))
    (doctor-test-with-own-program
     (let ((state (expand-file-name "meta-log/" folder)) asked)
       (make-directory state)
       (write-region "{}" nil (expand-file-name "identity.json" state) nil 'silent)
       (cl-letf (((symbol-function 'yes-or-no-p)
                  (lambda (prompt) (push prompt asked) yes)))
         (call-interactively #'meta-log-peer-sync-remove-sidecar))
       (should (string-match-p "identity, documents and history" (car asked)))
       (should-not (file-exists-p program))
       (should (eq yes (not (file-exists-p state))))
       (should (test-helper-said "the sidecar is removed"))))))

(ert-deftest doctor-test-a-folder-with-more-than-a-peer-is-never-deleted ()
  (doctor-test-with-own-program
   (let ((notes (file-name-as-directory (expand-file-name "notes" folder))) asked)
     (make-directory notes)
     (write-region "{}" nil (expand-file-name "identity.json" folder) nil 'silent)
     ;; no identity in the one, the Emacs directory in the other
     (dolist (meta-log-peer-sync-state-directory (list notes folder))
       (cl-letf (((symbol-function 'yes-or-no-p) (lambda (prompt) (push prompt asked) t)))
         (should-error (meta-log-peer-sync-remove-sidecar t) :type 'user-error)
         (make-directory (expand-file-name "meta-log-sidecar" folder) t)
         (call-interactively #'meta-log-peer-sync-remove-sidecar)))
     (should-not asked)
     (should (file-directory-p notes)))))

(ert-deftest doctor-test-nothing-that-lies-about-is-run-by-an-installation ()
  ;; Everybody can write into the folder for temporary files; Python imports from where it is.
  (test-helper-call
   (lambda (folder)
     (let* ((temporary-file-directory (file-name-as-directory (expand-file-name "tmp" folder)))
            (trace (expand-file-name "trace" folder))
            (ended 'no))
       (unless (executable-find "python3") (ert-skip "no python3"))
       (make-directory temporary-file-directory)
       (dolist (name '("venv.py" "pip.py"))
         (write-region (format "open(%S, 'w')\n" trace) nil
                       (expand-file-name name temporary-file-directory) nil 'silent))
       (let ((default-directory temporary-file-directory))
         (meta-log-peer-sync-install--run
          (list nil (list "pwd")
                (append (butlast (nth 2 (meta-log-peer-sync-install--plan 'venv "x" folder)))
                        '("--help")))
          (lambda (success) (setq ended success))))
       (should (test-helper-until (not (eq ended 'no)) 60))
       (should ended)
       (should-not (file-exists-p trace))
       (with-current-buffer "*meta-log-peer-sync install*"
         (should-not (string-match-p (regexp-quote temporary-file-directory) (buffer-string)))
         (kill-buffer))))))

(ert-deftest doctor-test-a-failed-installation-leaves-nothing ()
  (test-helper-call
   (lambda (folder)
     (let* ((user-emacs-directory folder)
            (python (expand-file-name "bin/python3" folder))
            (exec-path (list (file-name-directory python) "/bin" "/usr/bin"))
            (meta-log-peer-sync-install-method 'venv))
       (make-directory (file-name-directory python))
       (write-region "#!/bin/sh\necho too old\nexit 1\n" nil python nil 'silent)
       (set-file-modes python #o755)
       (meta-log-peer-sync-install-sidecar)
       (should (test-helper-until (test-helper-said "was not installed; .* says why") 60))
       (should-not (file-exists-p (expand-file-name "meta-log-sidecar" folder)))
       (with-current-buffer "*meta-log-peer-sync install*"
         (should (string-match-p "too old" (buffer-string)))
         (kill-buffer))))))

(ert-deftest doctor-test-install-refusals ()
  (let ((meta-log-peer-sync-rpc-program '("x"))
        (user-emacs-directory "/nonexistent/")
        (exec-path nil))
    (should-error (meta-log-peer-sync-install-sidecar) :type 'user-error)
    (should-error (meta-log-peer-sync-upgrade-sidecar) :type 'user-error)
    (should-error (meta-log-peer-sync-remove-sidecar) :type 'user-error)))

(provide 'doctor-test)
;;; doctor-test.el ends here
