;;; extract.el --- What the Emacs package defines, as JSON  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; emacs -Q --batch -l extract.el FILE...  reads the files without loading
;; them and prints one JSON array of what they define at top level: kind,
;; name, arguments, documentation, whether it is a command, default and type.

;;; Code:

(require 'cl-lib)
(require 'json)

(defun extract-doc (forms)
  "Return the first string of FORMS, or the empty string."
  (or (cl-find-if #'stringp forms) ""))

(defun extract-entry (form file)
  "Return what FORM of FILE defines as an alist, or nil."
  (pcase form
    (`(defun ,name ,arguments . ,body)
     `((kind . "function") (name . ,(symbol-name name)) (file . ,file)
       (arguments . ,(vconcat (mapcar #'symbol-name arguments)))
       (doc . ,(if (stringp (car body)) (car body) ""))
       (command . ,(if (assq 'interactive (cl-remove-if-not #'consp body)) t :json-false))))
    (`(defcustom ,name ,default ,doc . ,more)
     `((kind . "option") (name . ,(symbol-name name)) (file . ,file) (doc . ,doc)
       (default . ,(prin1-to-string default))
       (type . ,(prin1-to-string (cadr (plist-get more :type))))))
    (`(defvar ,name ,_ ,doc . ,_)
     `((kind . "variable") (name . ,(symbol-name name)) (file . ,file) (doc . ,doc)))
    ((or `(define-minor-mode ,name . ,body)
         `(meta-log-peer-sync-menu--define ,name . ,body))
     `((kind . "mode") (name . ,(symbol-name name)) (file . ,file) (command . t)
       (arguments . []) (doc . ,(extract-doc body))))))

(let (found)
  (dolist (path command-line-args-left)
    (with-temp-buffer
      (insert-file-contents path)
      (let ((file (file-name-base path)) (print-quoted t))
        (condition-case nil
            (while t
              (let ((entry (extract-entry (read (current-buffer)) file)))
                (when entry (push entry found))))
          (end-of-file nil)))))
  (setq command-line-args-left nil)
  (let ((coding-system-for-write 'utf-8))
    (princ (json-encode (vconcat (nreverse found))))))

;;; extract.el ends here
