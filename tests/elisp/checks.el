;;; checks.el --- Checks of the package as a package  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; What can be said about the files without running a peer: they compile
;; without a warning, their declarations are true, their autoloads load
;; nothing, unloading leaves nothing.  Each check is an ERT test.

;;; Code:

(require 'cl-lib)
(require 'ert)
(require 'package)

(defconst checks-folder
  (expand-file-name "../../elisp/" (file-name-directory (or load-file-name
                                                            buffer-file-name))))

(defun checks-files ()
  "Return the files of the package, absolute."
  (directory-files checks-folder t "\\`[^.].*\\.el\\'"))

(defun checks-run (arguments)
  "Run this Emacs in batch with ARGUMENTS; return (STATUS . OUTPUT)."
  (with-temp-buffer
    (let ((status (apply #'call-process
                         (expand-file-name invocation-name invocation-directory)
                         nil t nil "-Q" "--batch" arguments)))
      (cons status (buffer-string)))))

(defmacro checks-with-copy (folder &rest body)
  "Run BODY with a copy of the package in FOLDER, a variable."
  (declare (indent 1))
  `(let ((,folder (file-name-as-directory (make-temp-file "mlps-checks" t))))
     (unwind-protect
         (progn
           (dolist (file (checks-files)) (copy-file file ,folder))
           ,@body)
       (delete-directory ,folder t))))

(ert-deftest checks-byte-compile ()
  (checks-with-copy folder
    (pcase-let ((`(,status . ,output)
                 (checks-run (append (list "-L" folder "--eval"
                                           "(setq byte-compile-error-on-warn t)"
                                           "-f" "batch-byte-compile")
                                     (directory-files folder t "\\.el\\'")))))
      (should (equal (list status output) (list 0 output)))
      (should (= (length (directory-files folder t "\\.elc\\'")) (length (checks-files)))))))

(ert-deftest checks-declarations ()
  (let ((output (cdr (checks-run
                      (list "-L" checks-folder "--eval"
                            (format "(progn (require 'check-declare) \
(princ (format \"RESULT:%%S\" (check-declare-directory %S))))" checks-folder))))))
    (should (string-match-p "RESULT:nil" output))))

(ert-deftest checks-headers ()
  (dolist (file (checks-files))
    (with-temp-buffer
      (insert-file-contents file)
      (should (looking-at ";;; .* --- .*-\\*- lexical-binding: t; -\\*-$"))
      (should (search-forward "SPDX-License-Identifier: MIT" 600 t))
      ;; The parts are of the package that their main file describes.
      (unless (string-prefix-p "meta-log-peer-sync-" (file-name-nondirectory file))
        (should (search-forward "((emacs \"28.1\") (jsonrpc \"1.0.14\"))" nil t)))
      (goto-char (point-min))
      ;; No fixed colours, no folder of somebody's Emacs spelled out.
      (should-not (re-search-forward "\\.emacs\\.d\\|:foreground\\|:background" nil t)))))

(ert-deftest checks-version ()
  "The headers, and the constant that the sidecar is compared with, agree."
  (add-to-list 'load-path checks-folder)
  (require 'meta-log-peer-sync-rpc)
  (dolist (file (checks-files))
    (with-temp-buffer
      (insert-file-contents file)
      (should (search-forward (concat ";; Version: " meta-log-peer-sync-rpc-version "\n"))))))

(ert-deftest checks-options ()
  "Every option has a type, a group and the version that brought it."
  (let ((count 0))
    (add-to-list 'load-path checks-folder)
    (require 'meta-log-peer-sync)
    (require 'meta-log-peer-sync-peers)
    (require 'meta-log-peer-sync-history)
    (require 'meta-log-peer-sync-conflicts)
    (require 'meta-log-peer-sync-spaces)
    (require 'meta-log-peer-sync-mirror)
    (require 'meta-log-peer-sync-doctor)
    (require 'meta-log-peer-sync-install)
    (dolist (file (checks-files))
      (with-temp-buffer
        (insert-file-contents file)
        (emacs-lisp-mode)
        (while (re-search-forward "^(defcustom \\([^ ]+\\)" nil t)
          (let ((symbol (intern (match-string 1))))
            (cl-incf count)
            (should (get symbol 'custom-type))
            (should (get symbol 'custom-package-version))
            (when (equal (get symbol 'custom-type) 'hook)
              (should (string-match-p "-\\(hook\\|functions\\)\\'" (symbol-name symbol))))))))
    (should (> count 20))
    (should (= 3 (length (get 'meta-log-peer-sync 'custom-links))))))

(ert-deftest checks-keys ()
  "Major modes bind no key that is the user's."
  (add-to-list 'load-path checks-folder)
  (require 'meta-log-peer-sync-peers)
  (require 'meta-log-peer-sync-history)
  (require 'meta-log-peer-sync-conflicts)
  (require 'meta-log-peer-sync-spaces)
  (let ((maps 0))
    (mapatoms
     (lambda (symbol)
       (when (and (boundp symbol) (keymapp (symbol-value symbol))
                  (string-match-p "\\`meta-log-.*-mode-map\\'" (symbol-name symbol)))
         (cl-incf maps)
         (dolist (key '("C-c a" "C-c Z" "<f5>" "<f9>"))
           (should-not (commandp (lookup-key (symbol-value symbol) (kbd key))))))))
    (should (> maps 8))))

(ert-deftest checks-autoloads ()
  "The autoloads file offers the commands and loads nothing."
  (checks-with-copy folder
    (let* ((output (expand-file-name "x-autoloads.el" folder))
           (made (checks-run
                  (list "--eval"
                        (format "(if (fboundp 'loaddefs-generate) \
(loaddefs-generate %1$S %2$S) (require 'autoload) \
(make-directory-autoloads %1$S %2$S))" folder output))))
           (used (checks-run
                  (list "-L" folder "-l" output "--eval"
                        "(princ (format \"RESULT:%S\" (list (featurep 'jsonrpc) \
(featurep 'meta-log-peer-sync-rpc) (mapcar #'commandp '(meta-log-peer-sync-start \
meta-log-peer-sync-stop meta-log-peer-sync-restart meta-log-peer-sync-status \
meta-log-peer-sync-mode meta-log-peer-sync-peers meta-log-peer-sync-documents \
meta-log-peer-sync-guard-mode meta-log-peer-sync-demo-init)) \
(mapcar #'fboundp '(meta-log-mqtt-connect meta-log-federation-init \
meta-log-identity-create-peer meta-log-webrtc-send-message)))))"))))
      (should (equal 0 (car made)))
      (should (string-match-p
               (regexp-quote "RESULT:(nil nil (t t t t t t t t t) (t t t t))")
               (cdr used)))
      ;; Nothing private is offered.
      (with-temp-buffer
        (insert-file-contents output)
        (should-not (re-search-forward "^(autoload '[a-z-]*--" nil t))))))

(ert-deftest checks-loading-changes-nothing ()
  (let ((output
         (cdr (checks-run
               (list "-L" checks-folder "--eval"
                     "(progn (require 'jsonrpc) (require 'cl-lib) \
(let ((before (list (length timer-list) (length (process-list)) (length (buffer-list)) \
kill-emacs-hook find-file-hook after-save-hook emacs-startup-hook auto-mode-alist \
global-mode-string (advice-member-p 'meta-log-peer-sync-guard--visit 'find-file-noselect-1)))) \
(require 'meta-log-peer-sync) \
(princ (format \"RESULT:%S\" (equal before (list (length timer-list) \
(length (process-list)) (length (buffer-list)) \
kill-emacs-hook find-file-hook after-save-hook emacs-startup-hook auto-mode-alist \
global-mode-string (advice-member-p 'meta-log-peer-sync-guard--visit \
'find-file-noselect-1)))))))")))))
    (should (string-match-p "RESULT:t" output))))

(ert-deftest checks-unload ()
  "Unloading takes everything away, also while the guard is on."
  (let ((output
         (cdr (checks-run
               (list "-L" checks-folder "--eval"
                     "(progn (require 'meta-log-peer-sync) \
(require 'meta-log-peer-sync-peers) (require 'meta-log-peer-sync-history) \
(require 'meta-log-peer-sync-conflicts) (require 'meta-log-peer-sync-spaces) \
(require 'meta-log-peer-sync-menu) (meta-log-peer-sync-guard-mode 1) (meta-log-peer-sync-modeline-mode 1) \
(unload-feature 'meta-log-peer-sync t) \
(let (left) (mapatoms (lambda (symbol) (when (and (fboundp symbol) \
(string-prefix-p \"meta-log-\" (symbol-name symbol))) (push symbol left)))) \
(princ (format \"RESULT:%S %S\" left (advice--p (symbol-function 'set-auto-mode))))))")))))
    (should (string-match-p "RESULT:nil nil" output))))

(provide 'checks)
;;; checks.el ends here
