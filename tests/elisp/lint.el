;;; lint.el --- Run package-lint on the package  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Run as emacs --batch -l lint.el -- FILES.  The files of the package
;; proper are parts of one package, whose prefix is that of its main file; the
;; files that carry the documented API have names of their own, so each is
;; its own main file.  Nothing is fetched: the one dependency that is not part
;; of Emacs by version is told here.

;;; Code:

(require 'package)
(setq package-archives nil
      package-user-dir (make-temp-file "package-lint" t))
(package-initialize)
(require 'package-lint)
(push (cons 'jsonrpc (list (package-desc-create :name 'jsonrpc :version '(1 0 25)
                                                :summary "JSON-RPC library"
                                                :kind 'single :archive "gnu")))
      package-archive-contents)

(let ((failed nil) main)
  (pop command-line-args-left)
  (dolist (file command-line-args-left)
    (when (equal (file-name-nondirectory file) "meta-log-peer-sync.el")
      (setq main file)))
  (dolist (file command-line-args-left)
    (with-temp-buffer
      (insert-file-contents file t)
      (emacs-lisp-mode)
      (setq-local package-lint-main-file
                  (and (string-prefix-p "meta-log-peer-sync-" (file-name-nondirectory file))
                       main))
      (pcase-dolist (`(,line ,column ,type ,message) (package-lint-buffer))
        (setq failed t)
        (princ (format "%s:%d:%d: %s: %s\n" (file-name-nondirectory file)
                       line column type message)))))
  (delete-directory package-user-dir t)
  (kill-emacs (if failed 1 0)))
;;; lint.el ends here
